"""The story of a task by the command line."""

import re

import httpx

SMALL = ("--frames", "1", "--size", "32x32", "--quality", "1")


def test_a_story_tells_who_made_the_picture_and_what_it_earned(fold):
    key = fold.key("ann", "desk", "owner")
    number = fold.done("order", "flame", fold.genome(), *SMALL).strip()
    fold.paint_all(fold.serve_here(), "ann", key)
    task = re.search(r"^(\d+)\s+0\s+0\s+done", fold.done("job", "show", number), re.MULTILINE)[1]
    told = fold.done("story", "task", task)
    assert told.splitlines()[0] == f"Task {task}: frame 0 of job {number} (r1), done"
    order = [told.index(word) for word in ("lease granted", "result submitted", "result valid", "credit earned")]
    assert order == sorted(order)
    assert re.search(r"es-[0-9a-f]{16}\s+ann\s+electricsheep\s+submitted", told)
    assert "nick ann" in told
    assert key not in told


def test_what_a_client_told_cannot_command_the_terminal(fold):
    fold.key("ann", "desk", "owner")
    number = fold.done("order", "flame", fold.genome(), *SMALL).strip()
    url = fold.serve_here()
    httpx.get(f"{url}/cgi/get?n=[/red]&w=[bold]&v=&u=AB", trust_env=False)
    task = re.search(r"^(\d+)\s+0\s+0\s+open", fold.done("job", "show", number), re.MULTILINE)[1]
    told = " ".join(fold.done("story", "task", task).split())
    assert "credit_url [bold], nick [/red]" in told


def test_a_task_that_there_is_not_is_one_line(fold):
    ended = fold.do("story", "task", 77)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].startswith("sheepfold: ")
    assert fold.do("story", "task", 2**64).status == 2
