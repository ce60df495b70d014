"""Settings from the environment."""

from dataclasses import fields
from pathlib import Path

import pytest

from sheepfold.config import PLACES, BadSetting, Settings, settings_for, written

FARM = Path("/farm")


def test_without_an_environment_there_are_the_defaults():
    assert settings_for(FARM, {"HOME": "/", "THREADS": "1", "SHEEPFOLD_DATA": "/elsewhere"}) == Settings(FARM)


def test_places_go_by_their_usual_names():
    given = {"DATABASE_URL": "postgresql://x", "BLOBS_URL": "s3://y", "PUBLIC_URL": "https://z"}
    settings = settings_for(FARM, given)
    assert [getattr(settings, name) for name in PLACES] == list(given.values())


def test_every_sort_of_setting_is_read():
    settings = settings_for(FARM, {"SHEEPFOLD_THREADS": "7", "SHEEPFOLD_FLOCK_SIZE": "400x296",
                                   "SHEEPFOLD_FLOCK_QUALITY": "2.5", "SHEEPFOLD_SHEEPIT_SEED_STATUSES": "1",
                                   "SHEEPFOLD_SHEEPIT_MIN_VERSION": "5.0"})
    assert (settings.threads, settings.flock_size, settings.flock_quality) == (7, (400, 296), 2.5)
    assert (settings.sheepit_seed_statuses, settings.sheepit_min_version) == (True, "5.0")


@pytest.mark.parametrize(
    ("name", "text"), [("THREADS", "many"), ("FLOCK_SIZE", "400"), ("SHEEPIT_SEED_STATUSES", "on")]
)
def test_what_cannot_be_read_is_named(name: str, text: str):
    with pytest.raises(BadSetting, match=f"SHEEPFOLD_{name} cannot be '{text}'"):
        settings_for(FARM, {f"SHEEPFOLD_{name}": text})


def test_every_default_can_be_given_back_as_text():
    settings = Settings(FARM)
    names = [field.name for field in fields(Settings)]
    keys = [name.upper() if name in PLACES else f"SHEEPFOLD_{name.upper()}" for name in names]
    given = {key: written(getattr(settings, name)) for name, key in zip(names, keys, strict=True)}
    assert settings_for(FARM, given) == settings
