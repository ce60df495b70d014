"""The protocols that this house speaks: one line each.

A row holds names alone. What its dotted ones name is imported on use: `routes` makes a server's routes, `link` a
worker's line to a farm, and `verifiers` what the wire checks a machine key by.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sheepfold.model.errors import BadInput


@dataclass(frozen=True, slots=True)
class Row:
    """A protocol's dotted names, `module:function`, empty for what it does not have (yet), and its program's name."""

    routes: str = ""
    link: str = ""
    verifiers: str = ""
    program: str = ""
    """The program whose wire it is, as people call it."""


PROTOCOLS: dict[str, Row] = {
    "rest": Row(
        program="Sheepfold",
        routes="sheepfold.protocols.rest.endpoints:routes",
        link="sheepfold.protocols.rest.client:open_link",
    ),
    "electricsheep": Row(
        program="Electric Sheep",
        routes="sheepfold.protocols.electricsheep.endpoints:routes",
        link="sheepfold.protocols.electricsheep.client:open_link",
        verifiers="sheepfold.protocols.electricsheep.credentials:key_verifiers",
    ),
    "sheepit": Row(
        program="SheepIt",
        routes="sheepfold.protocols.sheepit.endpoints:routes",
        link="sheepfold.protocols.sheepit.client:open_link",
    ),
    "browsershots": Row(
        program="ShotFactory",
        routes="sheepfold.protocols.browsershots.endpoints:routes",
        link="sheepfold.protocols.browsershots.client:open_link",
        verifiers="sheepfold.protocols.browsershots.credentials:key_verifiers",
    ),
}


def load(dotted: str) -> Callable[..., Any]:
    """Import what a `module:function` names."""
    module, _, name = dotted.partition(":")
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return loaded


def row_of(protocol: str) -> Row:
    """Return a protocol's row; raises BadInput where the house does not speak it."""
    if protocol not in PROTOCOLS:
        raise BadInput(f"There is no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[protocol]


def verifiers(key: str, account_name: str) -> list[tuple[str, str]]:
    """Return what all wires check a machine key by, as pairs of scheme and value."""
    made = (load(row.verifiers)(key, account_name) for row in PROTOCOLS.values() if row.verifiers)
    return [pair for pairs in made for pair in pairs]
