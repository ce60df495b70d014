"""Settings from the environment."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from sheepfold.config import OTHERS, PLACES, BadSetting, Settings, settings_for, unknown_variables, variable_of, written
from sheepfold.kinds.flame import spec as flame
from sheepfold.model.errors import InvalidSpec

FARM = Path("/farm")
ROOT = Path(__file__).parents[1]
DEFAULTS = {field.name: field.default for field in fields(Settings) if field.name != "data"}
NUMBERS = [name for name, default in DEFAULTS.items() if type(default) in {int, float}]
TEXTS = [name for name, default in DEFAULTS.items() if default in {"", ()} or isinstance(default, str)]
ZEROS = {
    "flock_loops", "flock_edges", "claim_wait_limit_s", "keep_days", "keep_events_days", "storage_limit_bytes",
    "sheepit_awaiting_uploads", "browsershots_throttle_s", "browsershots_load_limit", "screenshot_site_limit",
    "screenshot_domain_limit", "screenshot_account_limit",
}  # fmt: skip
"""Numbers that may be 0."""


def read(name: str, text: str) -> object:
    """Read one setting from the environment."""
    return getattr(settings_for(FARM, {variable_of(name): text}), name)


def is_taken(name: str, text: str) -> bool:
    try:
        read(name, text)
    except BadSetting:
        return False
    return True


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


def test_every_default_can_be_given_back_as_text():
    settings = Settings(FARM)
    given = {variable_of(field.name): written(getattr(settings, field.name)) for field in fields(Settings)}
    assert settings_for(FARM, given) == settings


# --- what makes no sense


@pytest.mark.parametrize(("name", "text", "may_be"), [
    ("threads", "many", "a whole number from 1 to 10000; by default it is 64."),
    ("threads", "2.5", "a whole number from 1 to 10000; by default it is 64."),
    ("keep_days", "-1", "a whole number from 0 to 100000, and 0 means for ever; by default it is 0."),
    ("inspection_deadline_s", "inf", "a number from 1.0 to 3600.0; by default it is 30.0."),
    ("flock_size", "400", "from 16x16 to 8192x8192; by default it is 800x592."),
    ("sheepit_seed_statuses", "on", "1 or 0; by default it is 0."),
    ("sign_up", "nobody", "open, invitation or closed; by default it is invitation."),
    ("screenshot_allowed_ranges", "::1,127.0.0.1/33",
     "networks with commas between them, such as 127.0.0.0/8,::1; by default it is empty."),
    ("public_url", "foo", "empty, or like https://farm.example.org:8443; by default it is empty."),
])  # fmt: skip
def test_one_line_says_what_a_setting_is_and_what_it_may_be(name: str, text: str, may_be: str):
    with pytest.raises(BadSetting) as refused:
        read(name, text)
    assert str(refused.value) == f"{variable_of(name)} cannot be {text!r}: it may be {may_be}"


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_is_taken_however_small_or_large(name: str):
    taken = {text for text in ("-1", "0", "nan", "inf", "1" + "0" * 30) if is_taken(name, text)}
    assert taken == ({"0"} if name in ZEROS else set())


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "backup_folder"])
def test_no_text_is_taken_whatever_it_says(name: str):
    assert not is_taken(name, "some nonsense?")


@pytest.mark.parametrize(("name", "sound", "senseless"), [
    ("database_url", {"", "postgresql:///farm?host=/run", "postgres://ann:x@h:5/farm", "sqlite:////srv/farm.sqlite"},
     {"mysql://x/y", "x", "postgresql:", "sqlite:///farm.sqlite", "sqlite://"}),
    ("blobs_url", {"", "s3://bucket/prefix?endpoint=https://s3.example.org", "/mnt/blobs", "file:///mnt/blobs"},
     {"foo", "./foo", "s3://", "file://foo", "http://example.org/bucket", "s3:bucket"}),
    ("public_url", {"", "https://farm.example.org", "http://[::1]:8000/", "http://10.0.0.1:80/farm"},
     {"ftp://x", "farm.example.org", "https://", "https://x:port", "https://x/?a=b", "https://ann@x", "https:x"}),
    ("flock_size", {"16x16", "8192x8192"}, {"0x0", "15x100", "100x8193", "100x", "-16x16", "1x2x3"}),
    ("sheepit_min_version", {"", "5", "5.366.4878", "6.21137.0"}, {"abc", "v5", "5.", "5.0-beta", "1.2.3.4.5"}),
    ("browsershots_addresses", {"strict", "loose", "any"}, {"foo", "", "STRICT"}),
    ("browsershots_hash", {"sha1", "md5"}, {"sha256", ""}),
    ("sign_up", {"open", "invitation", "closed"}, {"", "0", "Open"}),
    ("screenshot_blocked_domains", {"", "example.org, ads.example", ".example", "10.0.0.1", "fe80::1"},
     {"*.example.org", "https://example.org", "example.org:80", "example.org/page"}),
    ("webhook_allowed_ranges", {"", "10.1.0.0/16", "127.0.0.1,::1", "10.1.2.3/16"}, {"foo", "10.0.0.0/33", "::/a"}),
    ("inspection_memory_mib", {"256"}, {"255"}),
])  # fmt: skip
def test_sense_is_told_from_nonsense(name: str, sound: set[str], senseless: set[str]):
    assert {text for text in sound | senseless if is_taken(name, text)} == sound


@pytest.mark.parametrize(("name", "text"), [
    ("database_url", "mysql://ann:s3cret@host/x"), ("database_url", "ann:s3cret@host/x"), ("blobs_url", "s3cret"),
    ("blobs_url", "http://key:s3cret@example.org/"),
])  # fmt: skip
def test_an_address_in_which_a_password_may_stand_is_never_shown(name: str, text: str):
    with pytest.raises(BadSetting, match=rf"^{variable_of(name)} cannot be what it is: it may be empty, ") as refused:
        read(name, text)
    assert "s3cret" not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_settings_that_code_makes_or_changes_are_checked_too():
    with pytest.raises(BadSetting, match="SHEEPFOLD_KEEP_DAYS cannot be '-1'"):
        Settings(FARM, keep_days=-1)
    with pytest.raises(BadSetting, match="SHEEPFOLD_FLOCK_SIZE cannot be '0x0'"):
        replace(Settings(FARM), flock_size=(0, 0))


@pytest.mark.parametrize(("name", "fields_of_an_order", "texts"), [
    ("flock_size", ("width", "height"), ("15x15", "16x16", "8192x8192", "8193x8193")),
    ("flock_frames", ("frames",), ("1", "2000", "2001")),
    ("flock_quality", ("quality",), ("0", "0.1", "10000", "10000.1")),
])  # fmt: skip
def test_what_the_farm_breeds_is_what_may_be_ordered(name: str, fields_of_an_order: tuple[str, ...],
                                                     texts: tuple[str, ...]):
    for text in texts:
        order = {field: float(text.partition("x")[0]) for field in fields_of_an_order}
        order = {field: int(value) if value.is_integer() else value for field, value in order.items()}
        try:
            flame.parse(order)
        except InvalidSpec:
            assert not is_taken(name, text), text
        else:
            assert is_taken(name, text), text


# --- names that are none


def test_a_name_that_nobody_reads_is_found_with_the_one_that_it_is_like():
    environment = {"SHEEPFOLD_KEEP_DAY": "3", "SHEEPFOLD_DATABASE_URL": "postgresql://x", "SHEEPFOLD_QQ": "",
                   "SHEEPFOLD_KEEP_DAYS": "3", "SHEEPFOLD_DATA": "farm", "SHEEPFOLD_KEY": "k", "KEEP_DAY": "3"}
    assert list(unknown_variables(environment)) == [
        ("SHEEPFOLD_DATABASE_URL", "DATABASE_URL"), ("SHEEPFOLD_KEEP_DAY", "SHEEPFOLD_KEEP_DAYS"), ("SHEEPFOLD_QQ", "")]


def test_every_name_in_program_and_documents_is_known():
    files = [ROOT / "README.md", ROOT / "Makefile", *(file for folder in ("src/sheepfold", "scripts", "docs")
             for file in (ROOT / folder).rglob("*") if file.suffix in {".py", ".sh", ".html", ".md", ".service", ""})]
    told = {name for file in files if file.is_file()
            for name in re.findall(r"\bSHEEPFOLD_[A-Z0-9_]+\b", file.read_text("utf-8"))}
    assert list(unknown_variables(dict.fromkeys(told, ""))) == []
    assert told >= OTHERS
