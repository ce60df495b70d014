"""`sheepfold browser`."""


def test_a_browser_is_added_listed_changed_and_removed(fold):
    fold.key("ann", "argo")
    said = fold.done("browser", "add", "argo", "--browser", "firefox", "--version", "115.0", "--command", "firefox",
                     "--width", "1024", "--height", "768", "--bpp", "24")
    assert said == "argo has firefox 115.0, number 1.\n"
    fold.done("browser", "add", "argo", "--browser", "Firefox", "--version", "115.0.3")
    listed = fold.done("browser", "list", "argo")
    assert "115.0.3" in listed
    assert "1024x768x24" in listed
    assert listed.count("argo") == 1
    assert "to be learned" in listed
    assert "115.0.3" in fold.done("browser", "list")
    assert "an order waits until one comes" in fold.done("browser", "alive")
    assert fold.done("browser", "remove", "argo", "1") == "argo has Firefox 115.0.3 no more.\n"
    assert "115" not in fold.done("browser", "list", "argo")


def test_browsers_are_added_over_the_network_by_their_machines_key(fold, run):
    key = fold.key("ann", "argo")
    fold.key("bob", "other")
    url = fold.serve_here()
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    there = ("--server", url, "--key", key)
    added = run("browser", "add", "self", "--browser", "firefox", "--user-agent", agent, *there)
    assert (added.status, added.out) == (0, "self has firefox 128.0, number 1.\n"), added
    assert "argo" in run("browser", "list", *there).out
    assert run("browser", "add", "other", "--browser", "firefox", "--version", "1", *there).status == 1
    assert run("browser", "remove", "argo", "1", *there).status == 0


def test_what_makes_no_sense_is_refused(fold):
    fold.key("ann", "argo")
    for words in (("argo",), ("nemo", "--browser", "firefox", "--version", "1"),
                  ("argo", "--browser", "x" * 99, "--version", "1")):
        ended = fold.do("browser", "add", *words)
        assert ended.status in {1, 2}, words
        assert "Traceback" not in ended.err


def test_an_order_may_ask_for_all_that_a_browser_can_be_told(fold):
    fold.key("ann", "argo")
    number = fold.done(
        "order", "screenshot", "http://127.0.0.1/", "--browser", "chromium,firefox 115", "--mode", "page", "--dark",
        "--pixel-ratio", "2", "--reduced-motion", "--locale", "de-AT", "--time-zone", "Europe/Vienna", "--wait", "20",
        "--expire", "600", "--javascript", "disabled", "--height", "800").strip()
    shown = fold.done("job", "show", number)
    assert "0 of 2 done" in shown
    assert fold.do("order", "screenshot", "http://127.0.0.1/", "--pixel-ratio", "2").status == 1
