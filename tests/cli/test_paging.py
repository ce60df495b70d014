"""Lists on the command line come page by page, and say how to see the next page."""

import json

from sheepfold.cli.plain import plain_console


def test_a_list_that_goes_on_says_how(fold):
    for name in ("ann", "bob", "cid"):
        fold.done("account", "add", name, "--password-stdin", said="a long enough one\n")
    first = fold.done("people", "list", "--limit", "2")
    assert first.splitlines()[-1] == "There are more: --after bob"
    last = fold.done("people", "list", "--limit", "2", "--after", "bob")
    assert "cid" in last
    assert "There are more" not in last
    assert json.loads(fold.done("people", "list", "--limit", "2", "--json"))["next"] == "bob"
    assert [row.split()[0] for row in fold.done("people", "list", "--search", "B").splitlines()[1:]] == ["bob"]


def test_a_list_of_nothing_says_so(fold):
    fold.key("ann", "argo")
    assert fold.done("webhook", "list").endswith("There is none.\n")


def test_a_place_that_no_page_said_is_a_line_and_no_traceback(fold):
    fold.key("ann", "argo")
    ended = fold.do("machine", "list", "--after", "x")
    assert (ended.status, len(ended.err.splitlines())) == (1, 1)
    assert "`after` is the `next` of the page before" in ended.err


def test_what_goes_to_no_terminal_is_a_line_a_row(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert plain_console().width > 500
    monkeypatch.setenv("COLUMNS", "80")
    assert plain_console().width == 80
