"""The part of the REST wire that tells what an order would be, before it is made."""

from typing import Any

from sheepfold.protocols.rest.wire import Count, Told


class AppraisalOut(Told):
    """What an order would be: its spec with all that was left out, its tasks, and what they cost.

    `cost_ms` is on one reference core, `millipoints` thousandths of points. `span_s` is how long the `machines` at work
    now would need for it alone. `remarks` are sentences on its files that the artist should know.
    """

    spec: dict[str, Any]
    tasks: Count
    cost_ms: Count
    millipoints: Count
    machines: Count
    span_s: Count
    remarks: list[str]
