"""The drivers' services as they run behind walls: where `localhost`, by which Selenium calls them, is no known name."""

import socket
from contextlib import suppress

from selenium.webdriver.remote.remote_connection import RemoteConnection
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.webkitgtk.service import Service as WebKitService

_HERE = "127.0.0.1"


class _ByNumber:
    """What both services ask and answer, by the loopback address's number."""

    port: int

    @property
    def service_url(self) -> str:
        """Return where the service listens."""
        return f"http://{_HERE}:{self.port}"

    def is_connectable(self) -> bool:
        """Say whether the service listens yet."""
        with suppress(OSError), socket.create_connection((_HERE, self.port), timeout=1):
            return True
        return False


class WebKitWebDriver(_ByNumber, WebKitService):
    """WebKitGTK's driver."""


def give_patience(driver: WebDriver, seconds: float) -> None:
    """Have Selenium wait for a driver's answers for so long and no longer."""
    assert isinstance(driver.command_executor, RemoteConnection)
    driver.command_executor.client_config.timeout = int(seconds)
