"""A headless Chromium out of Debian's packages, asked by its DevTools protocol over a pipe.

https://chromedevtools.github.io/devtools-protocol/. It is unpacked with the libraries that this machine lacks; nothing
is installed. `seen` tells what a page asked the network for and what it wrote to its console.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.programs import debian

_PACKAGE = "chromium-headless-shell"
_PATIENCE = 120
"""Seconds without a word from it: loaded machines are slow."""
_QUIET = (
    "--no-sandbox",  # tests run as root in CI
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

_MOVED = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
"""Chromium reads descriptor 3 and writes descriptor 4."""


def program() -> tuple[Path, Path]:
    """The program, and the folder below which its libraries are."""
    own = shutil.which(_PACKAGE)
    if own is not None:
        return Path(own), Path("/")
    root = debian.with_libraries(_PACKAGE)
    return root / "usr/lib/chromium" / _PACKAGE, root


def _environ(root: Path, profile: Path) -> dict[str, str]:
    """Where its libraries and fonts are: a machine may have no fonts of its own."""
    fonts = profile / "fonts.conf"
    fonts.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        '<include ignore_missing="yes">/etc/fonts/fonts.conf</include>'
        f"<dir>/usr/share/fonts</dir><dir>{root}/usr/share/fonts</dir><cachedir>{profile}/fonts</cachedir></fontconfig>"
    )
    own = {"FONTCONFIG_FILE": str(fonts), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/dev/null"}
    if root != Path("/"):
        folders = [each for lib in ("lib", "usr/lib") for each in (root / lib).glob("*-linux-gnu*")]
        own["LD_LIBRARY_PATH"] = ":".join(str(each) for folder in folders for each in (folder, folder / "pulseaudio"))
    return {**os.environ, **own}


@dataclass
class Page:
    """One tab that shows a page."""

    browser: Browser
    session: str
    errors: list[str] = field(default_factory=list)
    """What it wrote to the console as a warning or an error, and exceptions."""
    requests: list[str] = field(default_factory=list)
    """Addresses that it asked for beside its own."""
    loaded: set[str] = field(default_factory=set)
    """Documents (by their loader's id) that have loaded."""

    def value(self, expression: str) -> Any:
        """A JavaScript expression's value in the page, awaited where it is a promise."""
        told = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def picture(self) -> bytes:
        """The whole page as a PNG."""
        told = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(told["data"])

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One request of the protocol."""
        return self.browser.ask(method, parameters, self)


@dataclass
class Browser:
    """A running Chromium."""

    to: int
    back: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _rest: bytes = b""

    @contextmanager
    def page(
        self,
        address: str,
        *,
        width: int = 1000,
        height: int = 800,
        dark: bool = False,
        scale: float = 1,
        paper: bool = False,
    ) -> Iterator[Page]:
        """A page once it has loaded, on a screen of this size, or as it is printed."""
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.ask(f"{domain}.enable")
        page.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )
        page.ask(
            "Emulation.setEmulatedMedia",
            media="print" if paper else "screen",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        page.ask("Page.setLifecycleEventsEnabled", enabled=True)
        document = page.ask("Page.navigate", url=address)["loaderId"]
        while document not in page.loaded:  # of the empty one before, a slow machine may tell only now
            self._told(page)
        if address in page.requests:
            page.requests.remove(address)
        try:
            yield page
        finally:
            self.ask("Target.closeTarget", {"targetId": target})

    def ask(self, method: str, parameters: Mapping[str, Any], page: Page | None = None) -> dict[str, Any]:
        """One request, and its answer; what is told meanwhile is kept with its page."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": dict(parameters)}
        if page is not None:
            message["sessionId"] = page.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            told = self._told(page)
            if told.get("id") == number:
                assert "error" not in told, (method, told["error"])
                return dict(told["result"])

    def _told(self, page: Page | None) -> dict[str, Any]:
        """The next message."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.back], [], [], _PATIENCE)
            assert ready, "Chromium says nothing"
            read = os.read(self.back, 1 << 20)
            assert read, "Chromium has ended"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        if page is not None and told.get("sessionId") == page.session:
            _keep(told.get("method", ""), told.get("params", {}), page)
        return told


def _keep(event: str, told: Mapping[str, Any], page: Page) -> None:
    match event:
        case "Network.requestWillBeSent":
            page.requests.append(told["request"]["url"])
        case "Page.lifecycleEvent" if told["name"] == "load":
            page.loaded.add(told["loaderId"])
        case "Log.entryAdded" if told["entry"]["level"] in {"warning", "error"}:
            page.errors.append(told["entry"]["text"])
        case "Runtime.consoleAPICalled":
            page.errors.append(json.dumps(told["args"]))
        case "Runtime.exceptionThrown":
            page.errors.append(told["exceptionDetails"]["text"])


@contextmanager
def browser() -> Iterator[Browser]:
    """Start one, and end it by its own handle."""
    path, root = program()
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # from numbers that are neither 3 nor 4
    high = [fcntl.fcntl(each, fcntl.F_DUPFD, 20) for each in (theirs_in, theirs_out)]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, tempfile.TemporaryFile() as log:
        started = subprocess.Popen(
            [
                sys.executable, "-c", _MOVED, *map(str, high),
                str(path), *_QUIET, "--remote-debugging-pipe", f"--user-data-dir={profile}",
            ],
            env=_environ(root, Path(profile)), pass_fds=high, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        for each in (theirs_in, theirs_out, *high):
            os.close(each)
        try:
            yield Browser(ours_out, ours_in)
        except AssertionError:
            log.seek(0)
            print(log.read().decode(errors="replace")[-4_000:])
            raise
        finally:
            started.terminate()
            try:
                started.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait(_PATIENCE)
            os.close(ours_out)
            os.close(ours_in)
