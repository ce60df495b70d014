"""`sheepfold people`."""


def test_people_are_listed_ruled_and_written_down(fold):
    fold.key("ann", "argo")
    assert "ann" in fold.done("people", "list")
    assert fold.done("people", "role", "ann", "owner") == "The role of ann is owner now.\n"
    assert len(fold.done("people", "invite", "--role", "artist").strip()) == 20
    assert fold.done("people", "pause", "argo") == "Paused argo.\n"
    assert fold.done("people", "resume", "argo") == "argo may work again.\n"
    said = fold.done("people", "audit")
    for what in ("made owner", "invited: artist", "pause machine", "resume machine"):
        assert what in said
