"""What two real clients sent, and what they were answered, goes through the wire unharmed."""

import pytest

from sheepfold.protocols.sheepit.wire import (
    LITERAL_PATHS,
    ArchiveRequest,
    ArchiveType,
    ComputeMethod,
    ConfigAnswer,
    ConfigRequest,
    Endpoint,
    Era,
    FrameUpload,
    Headless,
    JobAnswer,
    JobRequest,
    Logout,
    OpenedBy,
    Renderer,
    Stats,
    ValidationAnswer,
    read_pairs,
    write_pairs,
)

RENDERER, PROJECT = "efbf24c5a54890c699b6858d920fbcd8", "8b3885b46e4d2f6fd79231292bb59d0e"
COMMAND = ".e --factory-startup --disable-autoexec -b .c -o .o -f .f -x 1"


def test_config_of_2015_comes_by_get(exchange):
    seen = exchange("2015", "01")
    config = ConfigRequest.from_pairs(read_pairs(seen.query, b""), OpenedBy(seen.method))
    assert config == ConfigRequest(
        login="alice", password="s3cret", version="3.3.1762", os="linux", bits="64bit", cpu_family="6",
        cpu_model="167", cpu_model_name="Intel(R) Xeon(R) Processor", cpu_cores=1, ram_kib=24903680,
        hostname="vm", opened_by=OpenedBy.GET)
    assert config.era is Era.A


def test_config_of_2020_comes_as_a_form(exchange):
    seen = exchange("2020", "01")
    config = ConfigRequest.from_pairs(read_pairs(seen.query, seen.body), OpenedBy(seen.method))
    assert (config.login, config.cpu_model_name, config.ui) == ("alice", "Intel(R) Xeon(R) Processor", "GuiText")
    assert config.headless is Headless.YES
    assert config.is_headless
    assert config.era is Era.B


def test_our_client_writes_the_form_of_2020_letter_by_letter(exchange):
    seen = exchange("2020", "01")
    config = ConfigRequest.from_pairs(read_pairs(b"", seen.body), OpenedBy.POST)
    assert write_pairs(config.to_pairs()).encode() == seen.body


@pytest.mark.parametrize(("year", "key"), [("2015", ""), ("2020", "PKabc")])
def test_config_answers_mean_the_same_when_written_again(exchange, year, key):
    answer = ConfigAnswer.from_xml(exchange(year, "01").answer)
    assert (answer.status, answer.publickey, answer.max_period_s) == (0, key, 800)
    assert answer.paths[Endpoint.LOGOUT] == "/account.php?mode=logout&worker=1"
    assert answer.paths[Endpoint.KEEPALIVE] == "/server/keepmealive.php"
    assert ConfigAnswer.from_xml(answer.to_xml()) == answer


def test_job_request_of_2015_lists_its_cache_as_a_form_that_is_none(exchange):
    first, later = exchange("2015", "02"), exchange("2015", "06")
    assert JobRequest.from_pairs(read_pairs(first.query), first.body) == JobRequest(ComputeMethod.CPU)
    assert JobRequest.from_pairs(read_pairs(later.query), later.body).cached == (RENDERER, PROJECT)


def test_job_request_of_2020_has_no_limit_of_time(exchange):
    seen = exchange("2020", "05")
    asked = JobRequest.from_pairs(read_pairs(seen.query), seen.body)
    assert asked == JobRequest(ComputeMethod.CPU, cpu_cores=1, ram_max_kib=24117248, cached=(PROJECT, RENDERER))
    assert read_pairs(write_pairs(asked.to_pairs()).encode()) == read_pairs(seen.query)


@pytest.mark.parametrize("year", ["2015", "2020"])
def test_job_answers_mean_the_same_when_written_again(exchange, year):
    answer = JobAnswer.from_xml(exchange(year, "02").answer)
    assert answer.job
    assert answer.job.renderer == Renderer(RENDERER, COMMAND, "remainingtime")
    assert (answer.job.frame, answer.job.extras, answer.job.archive_md5) == ("0340", "abc", PROJECT)
    assert answer.job.script == "import bpy\n# 1 < 2\nprint('server script')\n"
    assert JobAnswer.from_xml(answer.to_xml()) == answer


def test_a_job_of_2020_holds_what_2015_lacks(exchange):
    old, new = (JobAnswer.from_xml(exchange(year, "02").answer) for year in ("2015", "2020"))
    assert old.stats == Stats(frame_remaining=1187)
    assert new.stats == Stats(5, 619296, 39752, 50, 391, 7)
    assert new.job
    assert new.job.name == "human & name"
    assert new.job.validation_url == "http://127.0.0.1:18103/server/send_frame.php?job=21&frame=0340&extras=abc"


@pytest.mark.parametrize(("year", "begin"), [("2015", "06"), ("2020", "08")])
def test_no_job_is_a_status_alone(exchange, year, begin):
    assert JobAnswer.from_xml(exchange(year, begin).answer) == JobAnswer(status=200)


@pytest.mark.parametrize(("year", "begin", "wanted"), [
    ("2015", "03", ArchiveRequest(ArchiveType.RENDERER, 1)), ("2015", "04", ArchiveRequest(ArchiveType.JOB, 1, "0")),
    ("2020", "03", ArchiveRequest(ArchiveType.RENDERER, 21)), ("2020", "04", ArchiveRequest(ArchiveType.JOB, 21))])
def test_downloads_name_archive_and_job(exchange, year, begin, wanted):
    seen = exchange(year, begin)
    assert ArchiveRequest.from_pairs(read_pairs(seen.query)) == wanted
    assert LITERAL_PATHS[seen.path] is Endpoint.DOWNLOAD_ARCHIVE


def test_frame_of_2015_brings_cores_and_revision(exchange):
    seen = exchange("2015", "05")
    assert FrameUpload.from_pairs(read_pairs(seen.query)) == FrameUpload(
        job=1, frame="0340", rendertime_s=5, memory_kib=223450, extras="abc", cores=1, revision="0")


def test_frame_of_2020_goes_where_its_job_said(exchange):
    seen, job = exchange("2020", "06"), JobAnswer.from_xml(exchange("2020", "02").answer).job
    frame = FrameUpload.from_pairs(read_pairs(seen.query))
    assert frame == FrameUpload(job=21, frame="0340", rendertime_s=4, memory_kib=223450, extras="abc")
    assert job
    assert frame.to_url(job.validation_url) == f"http://127.0.0.1:18103{seen.path}?{seen.query.decode()}"


def test_frames_are_answered_with_zero(exchange):
    assert ValidationAnswer.from_xml(exchange("2020", "06").answer) == ValidationAnswer(0)


@pytest.mark.parametrize(("year", "begin"), [("2015", "07"), ("2020", "09")])
def test_logout_is_known_by_its_page(exchange, year, begin):
    seen = exchange(year, begin)
    assert LITERAL_PATHS[seen.path] is Endpoint.LOGOUT
    assert Logout.from_pairs(read_pairs(seen.query)).to_pairs() == read_pairs(seen.query)
