"""What a task needs, what a machine can do, and whether the one satisfies the other."""

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Self

ANY = ""
ENABLED = "enabled"
DISABLED = "disabled"


class Compute(StrEnum):
    """Which processor a task wants; `EITHER` is served by both."""

    EITHER = "either"
    CPU = "cpu"
    GPU = "gpu"


@dataclass(frozen=True, slots=True, order=True)
class Program:
    """A renderer or a browser with its version, such as `flam3 3.1.1`."""

    name: str
    version: str = ANY

    def covers(self, name: str, version: str) -> bool:
        """Say whether this program is `name` at `version`, where `3.1` stands for every 3.1.x and empty for all."""
        if self.name.casefold() != name.casefold():
            return False
        return version in {ANY, self.version} or self.version.startswith(version + ".")

    def has_features(self, javascript: str, java: str, flash: str) -> bool:
        """Say whether a browser can be had with these features; one that is told nothing of runs JavaScript or not."""
        return javascript in {ANY, ENABLED, DISABLED} and {java, flash} <= {ANY, DISABLED}

    def canonical(self) -> list[str]:
        """Return what tells this program from all others."""
        return [self.name, self.version]


@dataclass(frozen=True, slots=True, order=True)
class Browser(Program):
    """A browser as its owner registered it: each feature is `enabled`, `disabled` or a version such as 1.5."""

    javascript: str = ENABLED
    java: str = DISABLED
    flash: str = DISABLED

    def has_features(self, javascript: str, java: str, flash: str) -> bool:
        """Say whether the browser has these features, by the old service's rule (protocol note, section 4.2)."""
        pairs = ((javascript, self.javascript), (java, self.java), (flash, self.flash))
        return all(wanted in {ANY, found} or (wanted == ENABLED and found != DISABLED) for wanted, found in pairs)

    def canonical(self) -> list[str]:
        """Return what tells this browser from all others."""
        return [self.name, self.version, self.javascript, self.java, self.flash]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a machine must have for a task; empty text and zero mean "any".

    Sizes are in pixels, depth in bits a pixel, memory in MiB. `protocol` limits a task to one wire. A browser's
    features are `enabled`, `disabled` or a version. `display` asks for a screen, or what draws without one.
    """

    kind: str
    renderer: str = ANY
    renderer_version: str = ANY
    browser: str = ANY
    browser_version: str = ANY
    platform: str = ANY
    protocol: str = ANY
    width: int = 0
    height: int = 0
    depth: int = 0
    memory_mib: int = 0
    compute: Compute = Compute.EITHER
    javascript: str = ANY
    java: str = ANY
    flash: str = ANY
    display: bool = False

    def canonical(self) -> str:
        """Return the one text of these needs: defaults left out, keys sorted."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_canonical(cls, text: str) -> Self:
        """Read what `canonical` wrote."""
        plain = json.loads(text)
        return cls(**plain | {"compute": Compute(plain.get("compute", Compute.EITHER))})


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a machine, or one request of it, can do.

    `kinds` names the kinds it renders; an empty `sizes` or `depths` means that every size or depth can be made.
    """

    kinds: frozenset[str]
    renderers: frozenset[Program] = frozenset()
    browsers: frozenset[Program] = frozenset()
    platform: str = ANY
    protocol: str = ANY
    sizes: frozenset[tuple[int, int]] = frozenset()
    depths: frozenset[int] = frozenset()
    memory_mib: int = 0
    cpu: bool = True
    gpu: bool = False
    display: bool = True

    def canonical(self) -> str:
        """Return the one text of these abilities, the key under which matches are cached."""
        plain = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(self).items()
                 if name not in {"renderers", "browsers"}}
        for name in ("renderers", "browsers"):
            plain[name] = sorted(p.canonical() for p in getattr(self, name))  # names may hold blanks
        return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def satisfies(abilities: Abilities, needs: Needs) -> bool:
    """Say whether a machine of these abilities may take a task of these needs."""
    return (
        needs.kind in abilities.kinds
        and needs.protocol in {ANY, abilities.protocol}
        and needs.platform in {ANY, abilities.platform}
        and _has_program(abilities.renderers, needs.renderer, needs.renderer_version)
        and _has_browser(abilities.browsers, needs)
        and _has_size(abilities, needs)
        and (needs.depth == 0 or not abilities.depths or needs.depth in abilities.depths)
        and (needs.memory_mib == 0 or abilities.memory_mib >= needs.memory_mib)
        and _has_compute(abilities, needs.compute)
        and (abilities.display or not needs.display)
    )


def _has_program(programs: frozenset[Program], name: str, version: str) -> bool:
    return name == ANY or any(program.covers(name, version) for program in programs)


def _has_browser(browsers: frozenset[Program], needs: Needs) -> bool:
    return needs.browser == ANY or any(
        browser.covers(needs.browser, needs.browser_version)
        and browser.has_features(needs.javascript, needs.java, needs.flash)
        for browser in browsers
    )


def _has_size(abilities: Abilities, needs: Needs) -> bool:
    if not abilities.sizes or (needs.width == 0 and needs.height == 0):
        return True
    return any(needs.width in {0, width} and needs.height in {0, height} for width, height in abilities.sizes)


def _has_compute(abilities: Abilities, compute: Compute) -> bool:
    return {Compute.CPU: abilities.cpu, Compute.GPU: abilities.gpu}.get(compute, abilities.cpu or abilities.gpu)
