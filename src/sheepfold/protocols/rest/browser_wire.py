"""The part of the REST wire that tells of browsers: what a machine has to shoot pages with."""

from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field

from sheepfold.model.browsers import BrowserProgram, Factory, Registered, Screen
from sheepfold.protocols.rest.wire import Id, Version, Word

_Pixels = Annotated[int, Field(ge=100, le=8000)]


class ScreenOut(BaseModel):
    """A screen that a machine can set up: pixels, and bits a pixel."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: _Pixels
    height: _Pixels
    bpp: Annotated[int, Field(ge=1, le=32)] = 24


class BrowserAsked(BaseModel):
    """A browser to register; without a User-Agent the first visit teaches it, without a screen any will do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Word
    version: Version = ""
    user_agent: Annotated[str, Field(max_length=400)] = ""
    command: Annotated[str, Field(max_length=80)] = ""
    javascript: Version = "enabled"
    java: Version = "disabled"
    flash: Version = "disabled"
    platform: Version = ""
    screen: ScreenOut | None = None

    def program(self) -> BrowserProgram:
        """Return the browser as the farm registers it."""
        features = self.javascript, self.java, self.flash
        return BrowserProgram(self.name, self.version, self.user_agent, self.command, *features)

    def a_screen(self) -> Screen | None:
        """Return the screen as the farm registers it."""
        return None if self.screen is None else Screen(self.screen.width, self.screen.height, self.screen.bpp)


class BrowserOut(BaseModel):
    """A registered browser; `fault` is what it was last blocked for, at `failed_at`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Id
    name: str
    version: str
    user_agent: str
    command: str
    javascript: str
    java: str
    flash: str
    added_at: int
    uploaded_at: int | None = None
    failed_at: int | None = None
    fault: str = ""

    @classmethod
    def of(cls, one: Registered) -> Self:
        """Write a browser for the wire."""
        told = one.program
        return cls(
            id=one.id, name=told.name, version=told.version, user_agent=told.user_agent, command=told.command,
            javascript=told.javascript, java=told.java, flash=told.flash, added_at=one.added_at,
            uploaded_at=one.uploaded_at, failed_at=one.failed_at, fault=one.fault,
        )  # fmt: skip


class FactoryOut(BaseModel):
    """A machine with its browsers and screens; `polled_at` is when it last asked for work by Browsershots' wire."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    machine: str
    platform: str
    browsers: list[BrowserOut]
    screens: list[ScreenOut]
    polled_at: int | None = None

    @classmethod
    def of(cls, factory: Factory) -> Self:
        """Write a factory for the wire."""
        return cls(
            machine=factory.machine.name,
            platform=factory.platform,
            browsers=[BrowserOut.of(one) for one in factory.browsers],
            screens=[ScreenOut(width=one.width, height=one.height, bpp=one.bpp) for one in factory.screens],
            polled_at=factory.polled_at,
        )


class FactoryList(BaseModel):
    """Machines that have browsers, by name; `next` is the `after` of the following page, absent on the last."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    turn: ClassVar[str] = "after"
    factories: list[FactoryOut]
    next: str | None = None

    @property
    def rows(self) -> list[FactoryOut]:
        """Return the machines."""
        return self.factories


class AliveOut(BaseModel):
    """A browser on a platform that machines have which are here now; without sizes it is shot in every one.

    `driven` says that one of them drives it by remote control, as the modes viewport and page need.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    platform: str
    name: str
    engine: str
    versions: list[str]
    sizes: list[tuple[int, int]]
    machines: int
    driven: bool


class AliveList(BaseModel):
    """The browsers that can be shot now, by platform and name."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    browsers: list[AliveOut]


class Expiry(BaseModel):
    """Until when an order is worth making; None is for ever."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    expires_at: int | None
