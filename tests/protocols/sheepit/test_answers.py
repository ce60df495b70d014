"""Answers of a SheepIt farm: what is written is read again, and holds what each era demands."""

import re
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sheepfold.model.errors import MalformedMessage, SheepfoldError
from sheepfold.protocols.sheepit.answers import (
    LITERAL_PATHS,
    Chunk,
    ConfigAnswer,
    Endpoint,
    ErrorAnswer,
    Job,
    JobAnswer,
    KeepAliveAnswer,
    Renderer,
    Stats,
    ValidationAnswer,
    collapse_slashes,
    frame_text,
    heartbeat_period_s,
    session_paths,
)

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]) | st.sampled_from("\t\n\r<>&\"'"), max_size=30)
safe = st.from_regex(r"[A-Za-z0-9_.-]{0,20}", fullmatch=True)
counts = st.integers(0, 2**50)
renderers = st.builds(Renderer, texts, texts, texts)
urls = st.just("") | texts.map(lambda text: f"http://h/x?{text}")
jobs = st.builds(
    Job, id=st.integers(20, 2**31), archive_md5=texts, path=texts, frame=safe, renderer=renderers, name=texts,
    extras=safe, validation_url=urls, script=st.just("") | texts.filter(str.strip), password=texts, revision=safe,
    uses_gpu=st.booleans(), is_synchronous=st.booleans(),
    chunks=st.lists(st.builds(Chunk, texts, texts), max_size=3).map(tuple))
configs = st.builds(ConfigAnswer, publickey=texts, paths=st.dictionaries(st.sampled_from(Endpoint), texts))
answers = st.builds(
    JobAnswer, stats=st.builds(Stats, *[counts] * 6), job=jobs, deletable=st.lists(texts, max_size=3).map(tuple))

JOB = Job(21, "a" * 32, "p/scene.blend", "0340", Renderer("b" * 32, ".e -b .c -o .o -f .f"), name="n", extras="tok",
          validation_url="http://h/s/tok/server/send_frame.php?job=21&frame=0340", chunks=(Chunk("c1", "d" * 32),))


@given(configs, st.none() | st.integers(180, 9999))
def test_a_config_answer_survives_its_way(answer, period):
    answer = replace(answer, max_period_s=period if Endpoint.KEEPALIVE in answer.paths else None)
    assert ConfigAnswer.from_xml(answer.to_xml()) == answer


@given(answers)
def test_a_job_answer_survives_its_way(answer):
    assert JobAnswer.from_xml(answer.to_xml()) == answer


@given(st.integers(1, 999), st.builds(Stats, *[counts] * 6))
def test_a_status_survives_its_way(status, stats):
    for answer in (JobAnswer(status, stats), ConfigAnswer(status), KeepAliveAnswer(status), ValidationAnswer(status),
                   ErrorAnswer(status)):
        assert type(answer).from_xml(answer.to_xml()) == answer


@given(st.binary(max_size=300) | st.sampled_from([
    b"<config/>", b"<config status='x'/>", b"<jobrequest status='0'/>",
    b"<jobrequest status='0'><job id='1'/></jobrequest>",
    b"<jobrequest status='0'><job><renderer/></job></jobrequest>", b"<html/>", b"<config status='\xd9\xa3'/>"]))
def test_hostile_answers_raise_the_farms_errors_only(body):
    for answer in (ConfigAnswer, JobAnswer, KeepAliveAnswer, ValidationAnswer, ErrorAnswer):
        with suppress(SheepfoldError):
            answer.from_xml(body)


def test_one_config_satisfies_all_eras():
    answer = etree.fromstring(ConfigAnswer(paths=session_paths("tok"), max_period_s=800).to_xml())
    assert answer.get("publickey") == ""
    assert {request.get("type") for request in answer} == {str(endpoint) for endpoint in Endpoint}
    assert answer.find("request[@type='keepmealive']").get("max-period") == "800"
    assert all(re.fullmatch(r"/s/tok/server/[a-z_]+\.php", request.get("path")) for request in answer)


def test_one_job_satisfies_all_eras():
    root = etree.fromstring(JobAnswer(stats=Stats(frame_remaining=3), job=JOB).to_xml())
    job = root.find("job")
    assert set(job.attrib) == {
        "id", "use_gpu", "archive_md5", "path", "frame", "synchronous_upload", "revision", "extras", "name", "password",
        "validation_url"}
    assert root.find("frames").get("remaining") == root.find("stats").get("frame_remaining") == "3"
    assert set(root.find("stats").attrib) >= {
        "credits_session", "credits_total", "frame_remaining", "waiting_project", "connected_machine"}
    assert job.find("renderer").get("update_method")
    assert job.find("script").text.strip()
    assert job.find("chunks/chunk").get("id") == "c1"


def test_a_validation_url_is_wholly_encoded():
    url = etree.fromstring(JobAnswer(job=JOB).to_xml()).find("job").get("validation_url")
    assert url == "http%3A%2F%2Fh%2Fs%2Ftok%2Fserver%2Fsend_frame.php%3Fjob%3D21%26frame%3D0340"


@pytest.mark.parametrize("change", [
    {"extras": "a b"}, {"extras": "a&b"}, {"frame": "1#"}, {"revision": "1+1"}, {"validation_url": "http://h/no-query"}])
def test_a_job_that_clients_would_mangle_is_not_written(change):
    with pytest.raises(ValueError, match="job 21"):
        JobAnswer(job=replace(JOB, **change)).to_xml()


def test_a_refusal_says_nothing_but_its_status():
    assert etree.fromstring(ConfigAnswer(102, "key", session_paths("tok")).to_xml()).attrib == {"status": "102"}
    assert len(etree.fromstring(JobAnswer(205).to_xml())) == 0


def test_status_zero_without_a_job_is_no_answer():
    with pytest.raises(MalformedMessage, match="job"):
        JobAnswer.from_xml(b"<jobrequest status='0'/>")


def test_unknown_request_types_are_passed_over():
    body = b"<config status='0'><request type='dance' path='/d'/><request type='error' path='/e'/></config>"
    assert ConfigAnswer.from_xml(body).paths == {Endpoint.ERROR: "/e"}


def test_archives_to_delete_come_with_any_status():
    body = b"<jobrequest status='200'><file md5='aa' action='delete'/><file md5='bb'/></jobrequest>"
    assert JobAnswer.from_xml(body) == JobAnswer(200, deletable=("aa",))
    assert b'<file md5="aa" action="delete"/>' in JobAnswer(200, deletable=("aa",)).to_xml()


def test_characters_that_xml_lacks_are_replaced():
    answer = JobAnswer(job=replace(JOB, name="a\0b\ud800", script="x\f"))
    job = JobAnswer.from_xml(answer.to_xml()).job
    assert job
    assert (job.name, job.script) == ("a\ufffdb\ufffd", "x\ufffd")


def test_secrets_are_not_shown():
    shown = repr(ConfigAnswer(publickey="hush", paths=session_paths("hush"))) + repr(replace(JOB, password="hush"))
    assert "hush" not in shown
    assert "tok" not in shown


def test_a_token_must_be_safe_in_a_url():
    for token in ("", "a/b", "a?b", "ü"):
        with pytest.raises(ValueError, match="token"):
            session_paths(token)


def test_old_paths_stay_served():
    for path in ("/server/keepmealive.php", "/server/archive.php", "/server/download.php", "/account.php"):
        assert path in LITERAL_PATHS


@pytest.mark.parametrize(("path", "wanted"), [("//server/x.php", "/server/x.php"), ("/a///b//", "/a/b/"), ("/", "/")])
def test_doubled_slashes_collapse(path, wanted):
    assert collapse_slashes(path) == wanted


@pytest.mark.parametrize(("told", "period"), [(None, 900), (1440, 900), (800, 680), (180, 60), (0, 60)])
def test_a_client_beats_two_minutes_early(told, period):
    assert heartbeat_period_s(told) == period


@pytest.mark.parametrize(("number", "text"), [(1, "0001"), (340, "0340"), (12345, "12345")])
def test_a_frame_is_padded_as_blender_pads_it(number, text):
    assert frame_text(number) == text
