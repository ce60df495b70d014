"""What the schema is built of: the columns that most tables have, and what the two databases want said twice."""

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Integer, MetaData, Text, text
from sqlalchemy.sql.elements import ColumnElement

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows up only in a column that is exactly INTEGER."""

CHURN = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_cost_delay": "0",
    "fillfactor": "70",
}
"""PostgreSQL's storage settings of the tables that churn: with the defaults the claim rate halves in 15 seconds."""


def row_id(first: int = 1) -> Column[int]:
    """Count a table's rows, from `first` on."""
    return Column("id", Id, Identity(start=first), primary_key=True)


def ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    """Name a row of another table."""
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=nullable)


def digest(name: str, *, nullable: bool = False) -> Column[str]:
    """Name a blob."""
    return Column(name, Text, ForeignKey("blobs.digest"), nullable=nullable)


def at(name: str, *, nullable: bool = False) -> Column[int]:
    """Hold a moment, in Unix seconds."""
    return Column(name, BigInteger, nullable=nullable)


def partial_index(name: str, *columns: str | ColumnElement[int], where: str, unique: bool = False) -> Index:
    """Index only the rows that a condition holds for."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))
