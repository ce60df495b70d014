"""Orders by the command line, on a folder and over the network."""

import pytest

SMALL = ("--frames", "2", "--size", "32x32", "--quality", "1")


@pytest.fixture
def studio(fold):
    fold.done("account", "add", "ann", "--role", "owner", "--password-stdin", said="correct horse\n")
    return fold


def test_a_loop_and_an_edge_are_ordered_and_their_numbers_printed(studio):
    coral, ember = studio.genome("r1.flam3"), studio.genome("r2.flam3")
    numbers = [int(studio.done("order", "flame", *genomes, *SMALL)) for genomes in ((coral,), (ember,), (coral, ember))]
    assert numbers == sorted(numbers)
    shown = studio.done("job", "show", numbers[2])
    assert shown.splitlines()[0] == f"Job {numbers[2]}: r1 to r2 (flame, ann), running, 0 of 2 done"
    assert "Sheep 1.3, an edge from 1 to 2, rated 0" in shown


def test_an_order_over_the_network_is_the_same(studio, run):
    key = studio.done("key", "add", "ann", "desk", "--bare").strip()
    url = studio.serve("--no-house").url
    ended = run("order", "flame", studio.genome(), *SMALL, "--title", "Coral", SHEEPFOLD_SERVER=url, SHEEPFOLD_KEY=key)
    assert (ended.status, ended.err) == (0, "")
    assert "Coral" in run("job", "show", ended.out.strip(), "--server", url, "--key", key).out
    assert "Coral" in studio.done("job", "list")


@pytest.mark.parametrize(("words", "status", "why"), [
    (("--size", "big"), 1, "WIDTHxHEIGHT"),
    (("--size", "1x1"), 1, "16"),
    (("--size", "99999x99999"), 1, "8192"),
    (("--frames", "0"), 2, "--frames"),
    (("--quality", "nan"), 2, "--quality"),
    (("--account", "nobody"), 1, "nobody"),
    (("--still", "--frames", "3", "GENOME2"), 2, "one genome"),
])
def test_an_order_that_makes_no_sense_is_one_sentence(studio, words, status, why):
    words = [studio.genome("r2.flam3") if word == "GENOME2" else word for word in words]
    ended = studio.do("order", "flame", studio.genome(), *words)
    assert (ended.status, ended.out) == (status, "")
    assert why in ended.err
    assert "Traceback" not in ended.err
    if status == 1:
        assert len([line for line in ended.err.splitlines() if line.startswith("sheepfold: ")]) == 1


def test_a_file_that_is_no_genome_is_refused(studio):
    rubbish = studio.folder / "rubbish.flam3"
    for body in (b"", b"rubbish", b"<flame/>", b"\xff\xfe\x00"):
        rubbish.write_bytes(body)
        ended = studio.do("order", "flame", rubbish, *SMALL)
        assert (ended.status, "Traceback" in ended.err) == (1, False), ended
    assert studio.do("order", "flame", studio.folder / "missing.flam3").status == 2


def test_an_edge_wants_the_loops_of_both_genomes(studio):
    studio.done("order", "flame", studio.genome("r1.flam3"), *SMALL)
    ended = studio.do("order", "flame", studio.genome("r1.flam3"), studio.genome("r2.flam3"), *SMALL)
    assert ended.status == 1
    assert "order the loops of both genomes first" in ended.err


def test_a_volunteer_may_not_order(fold, run):
    key = fold.key("spot", "bedroom", "volunteer")
    assert "Nobody may order yet" in fold.do("order", "flame", fold.genome(), *SMALL).err
    url = fold.serve("--no-house").url
    ended = run("order", "flame", fold.genome(), *SMALL, "--server", url, "--key", key)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("sheepfold: ")
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(("server", "key"), [
    ("http://127.0.0.1:1", "0" * 32), ("ftp://farm.example", "x"), ("nonsense", "x"), ("http://", "x"),
    ("http://127.0.0.1:1", "schlüssel"), ("http://127.0.0.1:99999", "x"),
])
def test_a_farm_that_is_not_there_is_one_line(fold, run, server, key):
    ended = run("job", "list", "--server", server, "--key", key)
    assert (ended.status, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 1, ended.err
    assert ended.err.startswith("sheepfold: ")


def test_a_wrong_key_is_one_line(fold, run):
    url = fold.serve("--no-house").url
    ended = run("job", "list", "--server", url, "--key", "0" * 32)
    assert (ended.status, ended.out) == (1, "")
    assert len(ended.err.splitlines()) == 1


def test_it_must_be_said_which_farm(fold, run):
    for words in ((), ("--server", "http://127.0.0.1:1"), ("--server", "http://a", "--key", "k", "--data", fold.data)):
        assert run("job", "list", *words).status in {1, 2}
    assert "Say which farm" in run("job", "list").err


def test_screenshots_are_ordered_with_each_browser_and_width(studio):
    number = studio.done("order", "screenshot", "http://127.0.0.1/", "--browser", "chromium, firefox 115",
                         "--width", "390,1024").strip()
    assert "0 of 4 done" in studio.done("job", "show", number)
    assert studio.do("order", "screenshot", "http://127.0.0.1/", "--width", "wide").status == 1
    assert studio.do("order", "screenshot", "no address").status == 1


@pytest.fixture
def scene(studio):
    path = studio.folder / "scene.blend"
    path.write_bytes(b"BLENDER-v402")
    return path


NO_BLENDER = {"SHEEPFOLD_BPY_PYTHON": "/nonexistent/python"}


def test_a_blender_order_says_what_its_artist_should_know_and_prints_its_number(studio, run, scene):
    words = ("--frames", "1-9", "--step", "2", "--size", "64x48", "--engine", "cycles", "--samples", "3", "--format",
             "exr", "--data", studio.data)
    ended = run("order", "blender", scene, *words, **NO_BLENDER)
    assert (ended.status, "no Blender to look" in ended.err) == (0, True)
    number = int(ended.out)
    shown = studio.done("job", "show", number)
    assert "0 of 5 done" in shown
    assert "no Blender to look" in shown
    scene.write_bytes(b"BLENDER-v402 and more")
    ended = run("job", "replace", number, scene, "--data", studio.data, **NO_BLENDER)
    assert (ended.status, ended.out) == (0, f"Job {number} is at revision 1.\n")


def test_a_project_that_is_none_is_one_sentence(studio, run, scene):
    scene.write_bytes(b"rubbish")
    ended = run("order", "blender", scene, "--data", studio.data, **NO_BLENDER)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines() == ["sheepfold: The project is neither a .blend file nor a zip archive."]
