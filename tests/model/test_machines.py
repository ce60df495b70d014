"""Machines and sessions are values."""

from dataclasses import FrozenInstanceError, replace

import pytest

from sheepfold.model.accounts import AccountId
from sheepfold.model.machines import Machine, MachineId


def test_a_machine_is_changed_only_into_a_new_one():
    machine = Machine(MachineId(1), AccountId(2), "box", 100)
    with pytest.raises(FrozenInstanceError):
        machine.last_seen_at = 200  # type: ignore[misc]
    assert replace(machine, last_seen_at=200) == Machine(MachineId(1), AccountId(2), "box", 200)
