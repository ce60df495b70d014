"""What Blender frames are to people who order them."""

from sheepfold.kinds.seam import Offer


def offer() -> Offer:
    """Return the offer."""
    return Offer("Frames of a Blender scene", "A .blend, or a zip of one with its textures; a still or an animation.")
