"""What the schema holds by itself, whatever the code above it does."""

import sqlite3

import psycopg
import pytest
from sqlalchemy import text
from tests.store.conftest import NOW, Rows

from sheepfold.model.jobs import Terms
from sheepfold.store.columns import CHURN
from sheepfold.store.schema import metadata

BROKEN = (sqlite3.IntegrityError, psycopg.IntegrityError)


def test_a_machine_cannot_hold_two_active_leases_on_a_task(rows: Rows):
    rows.job(terms=Terms(quorum=2))
    rows.claim(rows.machine("box"))
    copy = """INSERT INTO leases (task_id, machine_id, account_id, protocol, state, granted_at, deadline_at)
              SELECT task_id, machine_id, account_id, protocol, state, granted_at, deadline_at FROM leases"""
    with pytest.raises(BROKEN):
        rows.run(copy)
    rows.run("UPDATE leases SET state = 'expired'")
    rows.run(copy)  # two ended ones are history


def test_openings_are_never_negative(rows: Rows):
    rows.job()
    with pytest.raises(BROKEN):
        rows.run("UPDATE tasks SET openings = -1")


def test_a_vote_is_one_up_or_one_down(rows: Rows):
    job_id = rows.job()
    with pytest.raises(BROKEN):
        rows.run("INSERT INTO votes (job_id, voter, value, cast_at) VALUES (:id, 'me', 2, 1)", id=job_id)


def test_a_result_needs_its_blob(rows: Rows):
    rows.job()
    granted = rows.claim(rows.machine("box"))
    add = """INSERT INTO results (task_id, lease_id, machine_id, account_id, digest, verdict, soundness, media_type,
                                  width, height, submitted_at)
             SELECT task_id, id, machine_id, account_id, :digest, 'pending', 'sound', '', 1, 1, :now
             FROM leases WHERE id = :lease"""
    with pytest.raises(BROKEN):
        rows.run(add, digest="nowhere", now=NOW, lease=granted.lease_id)
    rows.run(add, digest=rows.blob(), now=NOW, lease=granted.lease_id)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_tables_that_churn_are_vacuumed_early(rows: Rows):
    found = dict(rows.run("SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r'"))
    churning = {table.name for table in metadata.sorted_tables if table.dialect_options["postgresql"]["with"]}
    assert set(found) == churning == {"chores", "jobs", "lanes", "lane_charges", "tasks", "leases", "nonces"}
    assert all(set(options) == {f"{name}={value}" for name, value in CHURN.items()} for options in found.values())


def test_times_and_credit_outgrow_32_bits(rows: Rows):
    far = 2**40
    job_id = rows.job()
    rows.run("UPDATE jobs SET created_at = :far WHERE id = :id", far=far, id=job_id)
    assert rows.db.read(lambda tx: tx.execute(text("SELECT created_at FROM jobs")).scalar_one()) == far
