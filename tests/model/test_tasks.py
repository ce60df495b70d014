"""The nouns that the lifecycle moves."""

from dataclasses import replace

from sheepfold.model.accounts import AccountId
from sheepfold.model.machines import MachineId
from sheepfold.model.tasks import LeaseId, Result, ResultId, Soundness

RESULT = Result(ResultId(7), LeaseId(1), MachineId(2), AccountId(3), "digest", 100)


def test_the_first_of_its_kind_founds_a_party():
    assert RESULT.party == 7


def test_a_result_like_another_joins_its_party():
    assert replace(RESULT, like=ResultId(4)).party == 4


def test_only_a_blank_picture_is_doubtful():
    doubtful = {soundness for soundness in Soundness if replace(RESULT, soundness=soundness).is_doubtful}
    assert doubtful == {Soundness.BLANK}
