"""The part of the REST wire that tells what lies on the farm's disk, and what is cleared next."""

from sheepfold.protocols.rest.wire import Count, Id, Told


class PileOut(Told):
    """Files that are there for one end: inputs, originals (the pictures as they were rendered), previews, products
    (such as films), logs, renderers, or unnamed (of nobody, to be swept within a day).
    """

    sort: str
    files: Count
    size_bytes: int


class DueOut(Told):
    """A job that is cleared next: at a time, or with null when there is no more room."""

    job: Id
    title: str
    kind: str
    account: str
    ended_at: int
    clears_at: int | None


class StorageOut(Told):
    """What lies on the farm's disk as counted at a time; `limit_bytes` and `keep_days` are 0 where they are off."""

    counted_at: int
    size_bytes: int
    piles: list[PileOut]
    limit_bytes: int
    keep_days: int
    clearing: Count
    kept_jobs: Count
    next: list[DueOut]
