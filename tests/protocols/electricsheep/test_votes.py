"""Votes as the wire brings them: of accounts one each, and of players of whom nothing is known but a UID."""

import pytest

from sheepfold.farm.accounts import find_customer
from sheepfold.farm.flock import vote_as
from sheepfold.farm.voices import MOST_VOICES

UID, OTHER_UID = "A5BD1F1A9DAB2B36", "98BD1F1A9DAB2B36"


def test_a_vote_counts_on_both_paths_and_the_newer_one_replaces_the_older(site):
    site.filmed()
    assert site.http.get(f"/cgi/vote?u={UID}&v=LNX_2.7b12&id=1&vote=1").status_code == 200
    assert site.listed().sheep[0].rating == 1
    assert site.http.get(f"/cgi/vote.cgi?id=1&vote=-1&u={UID}").status_code == 200
    assert site.listed().sheep[0].rating == -1
    assert site.http.get(f"/cgi/vote.cgi?id=1&vote=1&u={UID.lower()}").status_code == 200
    assert site.listed().sheep[0].rating == 1
    assert site.http.get(f"/cgi/vote.cgi?id=1&vote=1&u={OTHER_UID}").status_code == 200
    assert site.listed().sheep[0].rating == 2


def test_votes_of_made_up_players_are_answered_like_others_and_few_of_them_count(site):
    site.filmed()
    answers = [site.http.get(f"/cgi/vote.cgi?id=1&vote=-1&u={uid:X}") for uid in range(MOST_VOICES + 5)]
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.text for answer in answers[-2:]] == [
        "Too many votes came from your network today; yours was not counted.\n"] * 2
    assert site.listed().sheep[0].rating == -MOST_VOICES


def test_who_has_an_account_has_a_voice_beside_any_number_of_strangers(site):
    site.filmed()
    key = site.key("spot", "laptop")
    for uid in range(MOST_VOICES):
        site.http.get(f"/cgi/vote.cgi?id=1&vote=1&u={uid:X}")
    last = site.http.get("/cgi/vote.cgi?id=1&vote=1&u=FFFF", headers=site.basic("spot", key))
    assert last.text == "Your vote was counted.\n"
    assert site.listed().sheep[0].rating == MOST_VOICES + 1


def test_an_account_has_one_voice_from_whichever_machine_and_by_whichever_way(site):
    site.filmed()
    spot = site.basic("spot", site.key("spot", "laptop")), site.basic("Spot", site.key("spot", "attic"))
    for uid, header, rating in ((UID, spot[0], 1), (OTHER_UID, spot[1], 1)):
        site.http.get(f"/cgi/vote?id=1&vote=1&u={uid}", headers=header)
        assert site.listed().sheep[0].rating == rating
    vote_as(site.farm, find_customer(site.farm, "spot"), 1, -1)
    assert site.listed().sheep[0].rating == -1


def test_a_wrong_password_votes_as_nobody_known(site):
    site.filmed()
    site.key("spot", "laptop")
    answers = [site.http.get(f"/cgi/vote.cgi?id=1&vote=1&u={uid:X}", headers=site.basic("spot", "wrong"))
               for uid in range(MOST_VOICES + 1)]
    assert {answer.status_code for answer in answers} == {200}
    assert "yours was not counted" in answers[-1].text
    assert site.listed().sheep[0].rating == MOST_VOICES


@pytest.mark.parametrize(("query", "status"), [
    (f"id=1&vote=0&u={UID}", 400), (f"id=1&vote=2&u={UID}", 400), ("id=1&vote=1", 400), (f"vote=1&u={UID}", 400),
    (f"id=1&vote=1&u={UID}G", 400), (f"id=77&vote=1&u={UID}", 404), (f"id=2147483647&vote=1&u={UID}", 404),
    (f"id=99999999999&vote=1&u={UID}", 400),
])
def test_a_vote_that_makes_no_sense_is_not_counted(site, query, status):
    site.filmed()
    for path in ("/cgi/vote", "/cgi/vote.cgi"):
        assert site.http.get(f"{path}?{query}").status_code == status
    assert site.listed().sheep[0].rating == 0
