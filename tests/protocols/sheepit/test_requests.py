"""Requests of SheepIt clients: what is written is read again, and nothing that is sent does harm."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.errors import MalformedMessage, MissingParameter, SheepfoldError, TooLarge
from sheepfold.protocols.sheepit.requests import (
    ArchiveRequest,
    ArchiveType,
    ComputeMethod,
    ConfigRequest,
    DownloadBinary,
    DownloadChunk,
    ErrorReport,
    FrameUpload,
    Headless,
    Heartbeat,
    JobRequest,
    Logout,
    OpenedBy,
    frame_filename,
    read_cached,
    read_extras,
    read_pairs,
    write_extras,
    write_pairs,
)
from sheepfold.protocols.sheepit.statuses import Era, MissingVersion

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)
words = texts.filter(bool)
counts = st.integers(0, 2**50)
maybe_counts = st.none() | counts
frames = st.integers(-999, 99999).map(lambda number: f"{number:04d}")
safe = st.from_regex(r"[A-Za-z0-9_.-]{0,20}", fullmatch=True)
md5s = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
configs = st.builds(
    ConfigRequest, login=words, password=words, version=words, os=texts, bits=texts, cpu_family=texts, cpu_model=texts,
    cpu_model_name=texts, cpu_cores=counts, ram_kib=st.integers(0, 2**30), hostname=st.none() | texts,
    ui=st.none() | texts, extras=texts, headless=st.none() | st.sampled_from(Headless), os_version=st.none() | texts,
    hwid=st.none() | texts, opened_by=st.sampled_from(OpenedBy))
job_requests = st.builds(
    JobRequest, st.sampled_from(ComputeMethod), cpu_cores=maybe_counts, gpu_model=texts, gpu_ram_bytes=maybe_counts,
    gpu_type=texts, ram_max_kib=maybe_counts, rendertime_max_s=st.none() | st.integers(1, 10**6),
    network_dl=maybe_counts, network_up=maybe_counts, cached=st.lists(md5s, unique=True, max_size=5).map(tuple))
requests = st.one_of(
    st.builds(Heartbeat, job=maybe_counts, frame=frames | st.just(""), extras=safe, rendertime_s=maybe_counts,
              remainingtime_s=maybe_counts, is_paused=st.none() | st.booleans()),
    st.builds(FrameUpload, job=counts, frame=frames, rendertime_s=counts, memory_kib=counts, extras=safe,
              cores=maybe_counts, revision=st.none() | safe, speedsamples=st.none() | st.floats(0.001, 1e300)),
    st.builds(ErrorReport, type=st.none() | st.integers(0, 200), job=maybe_counts, frame=frames | st.just(""),
              render_time_s=maybe_counts, memory_kib=counts, extras=safe),
    st.builds(ArchiveRequest, st.sampled_from(ArchiveType), counts, st.none() | safe),
    st.builds(DownloadBinary, counts), st.builds(DownloadChunk, words), st.builds(Logout))

LOGIN = {"login": "a", "password": "b", "version": "7.1"}


def travelled(pairs: dict[str, str]) -> dict[str, str]:
    return read_pairs(write_pairs(pairs).encode())


@given(configs)
def test_a_config_survives_its_way(config):
    assert ConfigRequest.from_pairs(travelled(config.to_pairs()), config.opened_by) == config


@given(job_requests)
def test_a_job_request_survives_its_way(request):
    assert JobRequest.from_pairs(travelled(request.to_pairs()), request.to_body()) == request


@given(requests)
def test_every_other_request_survives_its_way(request):
    assert type(request).from_pairs(travelled(request.to_pairs())) == request


@pytest.mark.parametrize(("extras", "read"), [
    (write_extras("0af", 12), ("0af", 12)), ("0af", ("0af", 0)), ("", ("", 0)), ("0af.-1", ("0af", 0)),
    ("0af.1.2", ("0af", 0)), ("0af." + "9" * 19, ("0af", 0)), ("0af.٣", ("0af", 0))])
def test_what_extras_tell(extras, read):
    assert read_extras(extras) == read


@given(st.builds(FrameUpload, job=counts, frame=frames, rendertime_s=counts, memory_kib=counts, extras=safe))
def test_a_frame_survives_its_way_through_a_validation_url(frame):
    base = f"http://h/s/t/send_frame.php?job={frame.job}&frame={frame.frame}&extras={frame.extras}"
    assert FrameUpload.from_pairs(read_pairs(frame.to_url(base).partition("?")[2].encode())) == frame


ANY_PAIRS = st.dictionaries(
    st.sampled_from(["login", "password", "version", "ram", "cpu_cores", "headless", "job", "frame", "type", "chunk",
                     "mode", "rendertime", "render_time", "memoryused", "computemethod", "rendertime_max",
                     "speedsamples"]),
    st.text(max_size=20)
    | st.sampled_from(["-1", "1e9", "٣", "nan", "inf", "9" * 30, "0x1", " 7 ", "1_0", "²"]))


@given(st.binary(max_size=200), st.binary(max_size=200), ANY_PAIRS)
def test_hostile_requests_raise_the_farms_errors_only(query, body, pairs):
    readers: list[Any] = [
        lambda: read_pairs(query, body), lambda: ConfigRequest.from_pairs(pairs, OpenedBy.GET),
        lambda: JobRequest.from_pairs(pairs, body), lambda: FrameUpload.from_pairs(pairs).frame_number,
        lambda: ArchiveRequest.from_pairs(pairs), lambda: DownloadBinary.from_pairs(pairs),
        lambda: DownloadChunk.from_pairs(pairs), lambda: Logout.from_pairs(pairs)]
    for read in readers:
        with suppress(SheepfoldError):
            read()


@given(ANY_PAIRS)
def test_heartbeats_and_error_reports_are_never_refused(pairs):
    assert Heartbeat.from_pairs(pairs).frame_number is None or pairs["frame"]
    assert ErrorReport.from_pairs(pairs).memory_kib >= 0


def test_a_config_without_version_is_told_from_one_without_login():
    with pytest.raises(MissingVersion):
        ConfigRequest.from_pairs({"login": "a", "password": "b"}, OpenedBy.POST)
    for name in ("login", "password"):
        with pytest.raises(MissingParameter, match=name) as caught:
            ConfigRequest.from_pairs({**LOGIN, name: ""}, OpenedBy.POST)
        assert not isinstance(caught.value, MissingVersion)


def test_a_password_is_not_shown():
    assert "hidden" not in repr(ConfigRequest.from_pairs({**LOGIN, "password": "hidden"}, OpenedBy.POST))


@pytest.mark.parametrize(("sent", "kib"), [
    ("24903680", 24903680), ("1073741824", 1073741824), ("17179869184", 16777216), ("", 0), ("much", 0)])
def test_memory_is_kilobytes_unless_nobody_has_so_much(sent, kib):
    assert ConfigRequest.from_pairs({**LOGIN, "ram": sent}, OpenedBy.GET).ram_kib == kib


@pytest.mark.parametrize(("opened_by", "hints", "era"), [
    (OpenedBy.GET, {}, Era.A0), (OpenedBy.GET, {"hostname": ""}, Era.A),
    (OpenedBy.POST, {"hostname": "h"}, Era.A2),
    (OpenedBy.POST, {"ui": "GuiText"}, Era.A2), (OpenedBy.POST, {"headless": "1"}, Era.B),
    (OpenedBy.POST, {"headless": "0", "hwid": "a"}, Era.B22),
    (OpenedBy.POST, {"headless": "true", "hwid": "a"}, Era.C)])
def test_the_era_is_told_by_what_is_mentioned(opened_by, hints, era):
    assert ConfigRequest.from_pairs(LOGIN | hints, opened_by).era is era


@pytest.mark.parametrize(("sent", "platform"), [
    ("linux", "linux"), ("macos", "mac"), ("macm1", "mac"), ("Windows", "windows")])
def test_a_platform_has_one_spelling(sent, platform):
    assert ConfigRequest.from_pairs({**LOGIN, "os": sent}, OpenedBy.POST).platform == platform


def test_the_form_counts_over_the_query_and_the_last_over_the_first():
    assert read_pairs(b"a=1&b=2&b=3", b"a=4&c=") == {"a": "4", "b": "3", "c": ""}


def test_control_characters_are_dropped():
    assert read_pairs(b"a=x%00%0A%1By%C2%A0z") == {"a": "xy\xa0z"}


def test_too_many_parameters_are_refused():
    with pytest.raises(MalformedMessage):
        read_pairs(b"a=1&" * 101)
    with pytest.raises(TooLarge):
        read_pairs(b"a=" + b"x" * 70_000)


@pytest.mark.parametrize("limit", ["-1", "0", "", "never"])
def test_no_limit_of_time_has_many_spellings(limit):
    assert JobRequest.from_pairs({"rendertime_max": limit}).rendertime_max_s is None


@pytest.mark.parametrize("sent", ["", "7", "-1", "gpu"])
def test_a_senseless_compute_method_counts_as_processor_only(sent):
    assert JobRequest.from_pairs({"computemethod": sent}).compute_method is ComputeMethod.CPU


@pytest.mark.parametrize("body", [
    b"", b"garbage", b"<cache>", b"a=b", b"\xff\xfe",
    b"<!DOCTYPE c [<!ENTITY x 'y'>]><cache><file md5='" + b"a" * 32 + b"'/></cache>",
    b"<cache><file/><file md5='../etc/passwd'/></cache>", b"<cache>" * 100, b" " * 5_000_000])
def test_a_cache_that_cannot_be_read_counts_as_empty(body):
    assert read_cached(body) == ()


def test_a_cached_archive_counts_once():
    upper, lower = b"<file md5='" + b"A" * 32 + b"'/>", b"<file md5='" + b"a" * 32 + b"'/>"
    assert read_cached(b"<cache>" + upper + lower + b"</cache>") == ("a" * 32,)


def test_a_gpu_is_described_in_bytes():
    asked = JobRequest.from_pairs({"computemethod": "2", "gpu_model": "G", "gpu_ram": "8589934592", "gpu_type": "HIP"})
    assert (asked.compute_method, asked.gpu_ram_bytes, asked.gpu_type) == (ComputeMethod.GPU, 8589934592, "HIP")


def test_an_idle_heartbeat_says_nothing():
    assert Heartbeat.from_pairs({}) == Heartbeat()
    assert Heartbeat().to_pairs() == {}


def test_a_heartbeat_of_2022_says_whether_it_is_paused():
    assert Heartbeat.from_pairs({"paused": "true"}).is_paused is True
    assert Heartbeat.from_pairs({"paused": "false", "job": "21"}).is_paused is False


@pytest.mark.parametrize(("pairs", "seconds"), [
    ({"render_time": "70"}, 70), ({"rendertime": "71"}, 71), ({"render_time": "-1"}, None), ({}, None)])
def test_an_error_report_has_two_names_for_its_time(pairs, seconds):
    assert ErrorReport.from_pairs(pairs).render_time_s == seconds


@pytest.mark.parametrize(("pairs", "number", "is_failure"), [
    ({}, None, True), ({"type": ""}, None, True), ({"type": "0"}, 0, False), ({"type": "12"}, 12, True),
    ({"type": "77"}, 77, True)])
def test_an_error_report_of_type_zero_is_a_greeting(pairs, number, is_failure):
    report = ErrorReport.from_pairs(pairs)
    assert (report.type, report.is_failure) == (number, is_failure)


@pytest.mark.parametrize("pairs", [
    {}, {"job": "21"}, {"frame": "1"}, {"job": "x", "frame": "1"}, {"job": "21", "frame": "1;rm"},
    {"job": "-1", "frame": "1"}])
def test_a_frame_needs_job_and_number(pairs):
    with pytest.raises(MissingParameter):
        FrameUpload.from_pairs(pairs)


def test_a_frame_keeps_its_text_and_knows_its_number():
    frame = FrameUpload.from_pairs({"job": "21", "frame": "0340", "speedsamples": "nan", "memoryused": "-5"})
    assert (frame.frame, frame.frame_number, frame.speedsamples, frame.memory_kib) == ("0340", 340, None, 0)
    assert frame_filename(21, "0340", "png") == "21_0340.png"


def test_an_archive_is_the_renderer_or_the_job():
    with pytest.raises(MissingParameter, match="binary"):
        ArchiveRequest.from_pairs({"type": "else", "job": "1"})


def test_the_account_page_serves_nothing_but_logout():
    assert Logout.from_pairs({}) == Logout()
    with pytest.raises(MissingParameter):
        Logout.from_pairs({"mode": "edit"})
