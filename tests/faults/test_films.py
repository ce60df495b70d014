"""The server is killed while a film is made and recorded; after its restart the film is there, whole, and once."""

import hashlib
import io
import time
from concurrent.futures import ThreadPoolExecutor

import av
import pytest
from sqlalchemy import text
from tests.faults.ground import PATIENCE_S, Crew, assert_check_is_content, chores_waiting, furnish, reckon

from sheepfold.farm.chores import do_next_chore

FRAMES = 3
PRODUCTS = ("film.mp4", "film.avi", "sheet.jpg")
FILM = (
    "before sheepfold.farm.chores:_awaited",
    "after sheepfold.farm.chores:_awaited",
    "before sheepfold.farm.chores:keep_file",
    "after sheepfold.farm.chores:keep_file",
    "before sheepfold.farm.chores:keep_file 3",
    "after sheepfold.farm.chores:keep_file 3",
    "before sheepfold.farm.chores:blob_rows.set_product",
    "after sheepfold.farm.chores:blob_rows.set_product",
    "after sheepfold.farm.chores:blob_rows.set_product 3",
    "before sheepfold.farm.chores:chore_rows.end",
    "after sheepfold.farm.chores:chore_rows.end",
    "before sheepfold.farm.hands:do_chore",
    "after sheepfold.farm.hands:do_chore",
)
"""The film's way where nothing else is to be done: what is waited for is `handwork.assemble` in a child, what is kept
first is the film, and what ends is its chore."""


@pytest.mark.slow
@pytest.mark.parametrize("border", FILM)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_film_is_there_whole_and_once_wherever_its_server_was_killed(build, dialect, border):
    house = build(dialect, words=("--no-house",))
    crew = with_all_but_the_film(house)
    house.words = ()
    house.start(border)
    until_it_has_died(crew)
    crew.wait_for_chores()
    products = fetched(crew)
    house.stop()
    reckon(house, crew.sent, FRAMES)
    assert [count_frames(products[name]) for name in PRODUCTS[:2]] == [FRAMES, FRAMES]
    assert_once(house, products)
    assert_check_is_content(house)


def with_all_but_the_film(house):
    """Have all pictures made and all chores done but the last, the film's; then nobody serves."""
    people = furnish(house, FRAMES)
    house.start()
    crew = Crew(house, people, "rest")
    for _ in range(FRAMES):
        assert crew.make_one()
    house.stop()
    with house.farm() as farm, ThreadPoolExecutor(1) as executor:
        for _ in range(FRAMES):
            assert do_next_chore(farm, executor)
    assert chores_waiting(house) == ["assemble 0"]
    return crew


def until_it_has_died(crew):
    until = time.monotonic() + PATIENCE_S
    while not crew.house.deaths:
        assert time.monotonic() < until, f"It did not die. {crew.house.log.read_text()[-3000:]}"
        crew.insist(crew.look)
        time.sleep(0.05)


def fetched(crew):
    """Fetch the products over HTTP, each with the digest that the farm tells."""
    told = {product["name"]: product["digest"] for product in crew.insist(crew.look)["products"]}
    assert tuple(sorted(told)) == tuple(sorted(PRODUCTS))
    bodies = {name: crew.insist(crew.fetch, name) for name in told}
    assert {name: hashlib.sha256(body).hexdigest() for name, body in bodies.items()} == told
    return bodies


def count_frames(film):
    with av.open(io.BytesIO(film)) as container:
        return sum(1 for _ in container.decode(video=0))


def assert_once(house, products):
    """See that each product was told of once, and that nothing is kept but what rows name.

    A film is made of the same bytes again, so that not even an orphan stays.
    """
    digests = {hashlib.sha256(body).hexdigest() for body in products.values()}
    with house.farm() as farm:
        named, told, chores = farm.db.read(lambda tx: [[tuple(row) for row in tx.execute(text(query))] for query in (
            "SELECT digest FROM blobs", "SELECT count(*) FROM events WHERE what = 'product made'",
            "SELECT count(*) FROM chores WHERE what = 'assemble' AND state = 'done'")])
        assert {digest for digest, _ in farm.blobs.list_digests()} == {digest for digest, in named} >= digests
        assert (told, chores) == ([(len(products),)], [(1,)])
