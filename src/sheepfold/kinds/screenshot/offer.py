"""What screenshots are to people who order them."""

from sheepfold.kinds.seam import Offer


def offer() -> Offer:
    """Return the offer."""
    return Offer("Screenshots of a page", "One address, many browsers and widths.")
