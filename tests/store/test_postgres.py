"""PostgreSQL: tries again where it helps, hears of other servers, and says when it is away."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import make_url, text
from tests.conftest import PostgresServer, in_threads
from tests.store.conftest import NOW, Rows

from sheepfold.blobs.spool import Digest
from sheepfold.model.accounts import Account, Role
from sheepfold.model.errors import PerhapsDone, StoreUnavailable
from sheepfold.store import accounts as account_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import clearing
from sheepfold.store.blobs import BlobRow
from sheepfold.store.database import Database, Tx
from sheepfold.store.postgres import LINE, POOL_SIZE, TRIES, PostgresDatabase

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)

WEIGH = text("UPDATE accounts SET weight = weight + 1 WHERE name = :name")


def add(tx: Tx, name: str) -> str:
    return account_rows.add_account(tx, name, Role.VOLUNTEER, "", NOW).name


def name_of(database_url: str) -> str:
    return database_url.rpartition("/")[2]


def send_away(server: PostgresServer, database_url: str) -> None:
    """End all connections to a database."""
    server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name_of(database_url)}'")


def test_only_snapshots_are_planned_to_read_a_table_whole(db: Database):
    def is_free(tx: Tx) -> str:
        return tx.execute(text("SHOW enable_seqscan")).scalar_one()

    assert [run(is_free) for run in (db.read, db.look, db.write, db.write_singly)] == ["on", "off", "off", "off"]


def test_a_command_that_fails_is_an_error_of_the_driver(db: Database):
    with pytest.raises(psycopg.errors.NoActiveSqlTransaction), db._pool.lent() as tx:
        tx.control("SAVEPOINT of_no_transaction")
    assert db.look(lambda tx: tx.execute(text("SELECT 1")).scalar_one()) == 1


def test_operations_that_block_each_other_are_tried_again(rows: Rows):
    for name in ("ann", "bob"):
        rows.account(name)
    meeting = threading.Barrier(2, timeout=60)
    tries: list[int] = []

    def deed(number: int) -> None:
        mine, theirs = ("ann", "bob") if number else ("bob", "ann")

        def operation(tx: Tx) -> None:
            tries.append(number)
            tx.execute(WEIGH, {"name": mine})
            if len(tries) <= 2:
                meeting.wait()
            tx.execute(WEIGH, {"name": theirs})

        rows.db.write(operation)

    in_threads(2, deed)
    assert len(tries) > 2  # one of them was chosen to give way
    assert rows.run("SELECT DISTINCT weight FROM accounts") == [(102,)]


def test_an_operation_that_never_succeeds_is_given_up(db: Database):
    tries: list[None] = []

    def operation(tx: Tx) -> None:
        tries.append(None)
        raise psycopg.errors.SerializationFailure("again")

    with pytest.raises(StoreUnavailable):
        db.write(operation)
    assert len(tries) == TRIES


def test_a_row_that_somebody_added_since_we_looked_is_seen_at_the_next_try(rows: Rows):
    rows.account("ann")
    looked: list[object] = []

    def operation(tx: Tx) -> None:
        looked.append(account_rows.find_account(tx, "bob"))
        if len(looked) == 1:
            in_threads(1, lambda _: rows.db.write(lambda tx: add(tx, "bob")))
            tx.execute(text("INSERT INTO accounts (name, role, created_at) VALUES ('bob', 'volunteer', 1)"))

    rows.db.write(operation)
    assert [account and account.name for account in looked] == [None, "bob"]


def test_a_sweep_between_the_naming_of_a_blob_and_its_use_waits_and_lets_it_lie(rows: Rows):
    """An upload of bytes that lay unnamed for a day: the sweep comes while the upload is being settled."""
    job_id = rows.job()
    digest = Digest("ab" * 32)
    blob = BlobRow(digest, "m" * 32, 7)
    rows.db.write(lambda tx: blob_rows.add(tx, blob, NOW))
    with ThreadPoolExecutor(1) as sweeper:

        def settle(tx: Tx) -> "Future[list[str]]":
            blob_rows.add(tx, blob, NOW)
            tx.flush()
            swept = sweeper.submit(rows.db.write, lambda tx: clearing.let_go(tx, [digest], NOW))
            blob_rows.set_product(tx, job_id, "film.mp4", digest, "video/mp4", NOW)
            return swept

        assert rows.db.write(settle).result(60) == []
    assert [product.digest for product in rows.db.read(lambda tx: blob_rows.products_of(tx, job_id))] == [digest]


def test_connections_that_died_while_they_lay_idle_cost_nobody_an_error(
    db: PostgresDatabase, postgres_server: PostgresServer, database_url: str
):
    meeting = threading.Barrier(8, timeout=60)

    def wait(tx: Tx) -> None:
        meeting.wait()

    in_threads(8, lambda _: db.write(wait))
    send_away(postgres_server, database_url)
    in_threads(8, lambda n: db.write(lambda tx: add(tx, f"account-{n}")))
    assert len(db.read(account_rows.list_accounts)) == 8


@pytest.mark.parametrize("way", ["write", "write_singly", "read", "look"])
def test_nothing_was_asked_of_a_connection_that_died_while_it_lay_idle(
    db: PostgresDatabase, postgres_server: PostgresServer, way: str
):
    died = db.look(lambda tx: tx.driver.info.backend_pid)
    postgres_server.execute(f"SELECT pg_terminate_backend({died}, 60000)")
    ask: Callable[[Callable[[Tx], str]], str] = getattr(db, way)
    assert ask(lambda tx: add(tx, "ann") if "write" in way else "ann") == "ann"
    assert ask(lambda tx: tx.driver.info.backend_pid) != died
    assert len(db.read(account_rows.list_accounts)) == (1 if "write" in way else 0)


class Scissors:
    """A way to PostgreSQL that is cut once: the server has done what it was told with certain words, and answered."""

    def __init__(self, port: int) -> None:
        self.words = b""
        scissors = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", port)) as server:
                    answers = threading.Thread(target=scissors.answer, args=(server, self.request))
                    answers.start()
                    scissors.ask(self.request, server)
                    answers.join()

        self._cuts: set[socket.socket] = set()
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def ask(self, client: socket.socket, server: socket.socket) -> None:
        while asked := client.recv(65536):
            if self.words and self.words in asked:
                self.words = b""
                self._cuts.add(server)
            server.sendall(asked)
        server.shutdown(socket.SHUT_WR)

    def answer(self, server: socket.socket, client: socket.socket) -> None:
        while (answer := server.recv(65536)) and server not in self._cuts:
            client.sendall(answer)
        client.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def scissors(database_url: str) -> Iterator[Scissors]:
    made = Scissors(make_url(database_url).port or 0)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def far(scissors: Scissors, database_url: str) -> Iterator[Rows]:
    """Return the database behind the scissors."""
    address = make_url(database_url).set(port=scissors.server.server_address[1])
    db = PostgresDatabase(address.render_as_string(hide_password=False))
    yield Rows(db)
    db.close()


@pytest.mark.parametrize(("way", "words"), [("write", b"COMMIT"), ("write_singly", b"INSERT INTO accounts")])
def test_what_was_committed_when_the_connection_was_lost_is_not_done_again(
    far: Rows, scissors: Scissors, way: str, words: bytes
):
    tries: list[None] = []

    def deed(tx: Tx) -> None:
        tries.append(None)
        add(tx, f"account-{len(tries)}")

    ask: Callable[[Callable[[Tx], None]], None] = getattr(far.db, way)
    assert far.db.look(account_rows.list_accounts) == []  # on the connection that is cut
    scissors.words = words
    with pytest.raises(PerhapsDone):
        ask(deed)
    assert [account.name for account in far.db.read(account_rows.list_accounts)] == ["account-1"]
    ask(deed)
    assert len(far.db.read(account_rows.list_accounts)) == 2


def test_what_was_lost_before_its_commit_is_done_again(far: Rows, scissors: Scissors):
    assert far.db.look(account_rows.list_accounts) == []
    scissors.words = b"INSERT INTO accounts"
    assert far.account("ann").name == "ann"
    assert scissors.words == b""
    assert len(far.db.read(account_rows.list_accounts)) == 1


@pytest.mark.parametrize("way", ["read", "look"])
@pytest.mark.parametrize("words", [b"FROM accounts", b"COMMIT"])
def test_whoever_only_reads_asks_again(far: Rows, scissors: Scissors, way: str, words: bytes):
    far.account("ann")
    ask: Callable[[Callable[[Tx], list[Account]]], list[Account]] = getattr(far.db, way)
    scissors.words = words
    assert [account.name for account in ask(account_rows.list_accounts)] == ["ann"]
    assert scissors.words == (words if (way, words) == ("look", b"COMMIT") else b"")


def test_a_host_that_vanishes_is_missed_on_every_connection(database_url: str, monkeypatch: pytest.MonkeyPatch):
    opened: list[dict[str, str]] = []
    listens = threading.Event()
    connect = psycopg.connect

    def note(*args: object, **options: object) -> object:
        made = connect(*args, **options)
        opened.append(made.info.get_parameters())
        if options.get("autocommit"):
            listens.set()
        return made

    monkeypatch.setattr(psycopg, "connect", note)
    db = PostgresDatabase(f"{database_url}?keepalives_idle=60")
    try:
        assert db.read(account_rows.list_accounts) == []
        assert listens.wait(60)
    finally:
        db.close()
    told = {**LINE, "keepalives_idle": "60"}
    assert len(opened) >= 3  # of the migration, the pool and the listener
    assert all(told.items() <= one.items() for one in opened)
    assert all(db.url.count(word) == 0 for word in ("tcp_user_timeout", "keepalives_count"))


def test_a_server_that_went_away_is_unavailable_and_comes_back(
    db: PostgresDatabase, postgres_server: PostgresServer, database_url: str
):
    name = name_of(database_url)
    postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    send_away(postgres_server, database_url)
    for ask in (db.read, db.write):
        with pytest.raises(StoreUnavailable):
            ask(account_rows.list_accounts)
    postgres_server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert db.write(lambda tx: add(tx, "ann")) == "ann"


@pytest.mark.parametrize("is_at_the_end", [False, True])
def test_a_connection_that_is_lost_at_every_try_is_a_database_that_does_not_answer(
    db: PostgresDatabase, postgres_server: PostgresServer, is_at_the_end: bool
):
    tries: set[int] = set()

    def deed(tx: Tx) -> None:
        add(tx, "ann")
        tries.add(tx.driver.info.backend_pid)
        postgres_server.execute(f"SELECT pg_terminate_backend({tx.driver.info.backend_pid}, 60000)")
        if not is_at_the_end:
            add(tx, "bob")

    with pytest.raises(StoreUnavailable, match="does not answer"):
        db.write(deed)
    assert len(tries) == TRIES
    assert db.read(account_rows.list_accounts) == []


def test_other_servers_hear_of_a_commit(db: PostgresDatabase, database_url: str):
    other = PostgresDatabase(database_url)
    try:
        heard = threading.Event()
        other.listen(heard.set)
        _until_heard(heard, lambda: db.write(lambda tx: None))
    finally:
        other.close()


def _until_heard(heard: threading.Event, tell) -> None:
    """Commit until the other has heard; its listener may have begun to listen after the first commit."""
    for _ in range(100):
        tell()
        if heard.wait(0.3):
            return
    raise AssertionError("The other server never heard.")


def test_a_listener_comes_back_after_its_connection_was_lost(
    db: PostgresDatabase, postgres_server: PostgresServer, database_url: str
):
    other = PostgresDatabase(database_url)
    try:
        heard = threading.Event()
        other.listen(heard.set)
        send_away(postgres_server, database_url)
        _until_heard(heard, lambda: db.write(lambda tx: None))
    finally:
        other.close()


def test_more_operations_than_connections_wait_their_turn(db: PostgresDatabase):
    in_threads(POOL_SIZE + 8, lambda n: db.write(lambda tx: add(tx, f"account-{n}")))
    assert len(db.read(account_rows.list_accounts)) == POOL_SIZE + 8


def test_two_servers_that_start_at_once_migrate_once(postgres_server: PostgresServer, dialect: str):
    name = postgres_server.create("template1")
    try:
        url = postgres_server.url(name)
        for opened in in_threads(2, lambda _: PostgresDatabase(url)):
            assert opened.read(account_rows.list_accounts) == []
            opened.close()
    finally:
        postgres_server.drop(name)


def test_a_server_that_freezes_does_not_keep_rows_from_others_for_ever(db: PostgresDatabase):
    query = text("SELECT current_setting('idle_in_transaction_session_timeout') AS limit_s")
    for run in (db.write, db.read, db.look):
        assert run(lambda tx: tx.execute(query).scalar_one()) == "1min"
