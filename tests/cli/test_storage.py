"""Storage and retention by the command line."""

import json

from tests.cli.conftest import Fold


def test_the_owner_sees_the_disk_and_keeps_a_job(fold: Fold):
    fold.done("account", "add", "ann", "--role", "owner", "--password-stdin", said="correct horse\n")
    job_id = int(fold.done("order", "flame", fold.genome(), "--frames", "2", "--size", "32x32"))
    told = fold.done("storage")
    assert told.splitlines()[1].split()[:2] == ["inputs", "3"]
    assert "Everything is kept for ever" in told
    assert json.loads(fold.done("storage", "--json"))["keep_days"] == 0
    assert fold.done("job", "keep", job_id) == f"Job {job_id} is kept for ever.\n"
    assert "kept for ever" in fold.done("job", "show", job_id)
    assert fold.done("job", "unkeep", job_id) == f"Job {job_id} is kept as long as others.\n"
