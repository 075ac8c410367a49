"""The check of the sources against a server of our own, with its faults."""

from __future__ import annotations

import itertools
import json
import runpy
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from aegis.core.errors import CouldNotDecide
from aegis.gates.scan.catalogue import sources
from aegis.gates.scan.catalogue.compile import Provider, Source, read_providers
from aegis.gates.scan.catalogue.sources import additions, check, fetch, names_in

PROVIDERS = read_providers()
NAMES = [f"azure-acme-{number}" for number in range(30)]
CSV = "Package,VersionGA\n" + "".join(f'"{name}","1.0"\n' for name in NAMES)
FOLDERS = json.dumps([*({"name": name, "type": "dir"} for name in NAMES), {"name": "README.md", "type": "file"}])
URL = "https://example.com/list"


def provider(*known: str) -> Provider:
    return msgspec.convert(
        {
            "provider": "acme",
            "title": "Acme",
            "as_of": "2026-11-23",
            "sources": [{"url": URL, "what": "all", "lists": "pypi", "format": "azure-csv"}],
            "surfaces": {"pypi": {"sdk": known, "exclude": {"azure-acme-0": "no client"}}},
            "services": {"names": {"azure-acme-1": []}},
        },
        Provider,
    )


def source(**change: object) -> Source:
    return msgspec.convert({"url": URL, "what": "all", "lists": "pypi", "format": "azure-csv", **change}, Source)


class Answer(BaseHTTPRequestHandler):
    """Answers each path as its name says."""

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if name == "moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
        elif name == "missing":
            self.send_error(404)
        elif name == "silent":
            time.sleep(1.5)
        elif name == "garbage":
            self.wfile.write(b"\x00\xffnot http at all\r\n\r\n")
        else:
            self._answer(name)

    def _answer(self, name: str) -> None:
        body = CSV.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (10 if name == "short" else 0)))
        self.end_headers()
        if name == "slow":
            for at in range(40):
                self.wfile.write(body[at : at + 1])
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: the tests say what went wrong."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_fetch_reads_the_whole_body(server: str) -> None:
    assert fetch(f"{server}/good", allow_loopback=True) == CSV.encode()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("missing", "404"),
        ("moved", "scheme is 'http'"),
        ("garbage", ""),
        ("silent", ""),
        ("slow", "did not end in time"),
        ("short", "10 bytes early"),
    ],
)
def test_fetch_says_what_failed(server: str, path: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if path == "slow":  # of the body alone: half a minute for each piece
        minutes = itertools.count(0.0, 0.5)
        monkeypatch.setattr(sources, "time", SimpleNamespace(monotonic=lambda: 60 * next(minutes)))
    with pytest.raises(CouldNotDecide) as caught:
        fetch(f"{server}/{path}", allow_loopback=True, timeout=0.5 if path == "silent" else 60)
    assert caught.value.code == "scan.catalogue_unchecked"
    assert path in caught.value.problem or path == "moved"
    assert says in caught.value.problem


def test_fetch_refuses_an_endless_body(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 100)
    with pytest.raises(CouldNotDecide, match="longer than 100 bytes"):
        fetch(f"{server}/good", allow_loopback=True)


def test_fetch_fails_where_nobody_listens() -> None:
    with pytest.raises(CouldNotDecide, match="refused"):
        fetch("http://127.0.0.1:9/", allow_loopback=True, timeout=60)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://example.com/", "file:///etc/passwd", "ftp://example.com/", "example.com", ""]
)
def test_fetch_takes_only_https(url: str) -> None:
    with pytest.raises(CouldNotDecide, match="scheme"):
        fetch(url)


@pytest.mark.parametrize(
    "url", ["http://example.com/", "http://127.0.0.1.example.com/", "http://localhost/", "file:///x"]
)
def test_loopback_is_an_address_of_this_machine(url: str) -> None:
    with pytest.raises(CouldNotDecide, match="scheme"):
        fetch(url, allow_loopback=True)


def test_formats_are_read() -> None:
    assert names_in(source(), CSV.encode()) == NAMES
    assert names_in(source(format="github-folders"), FOLDERS.encode()) == NAMES
    assert names_in(source(prefix="x-"), CSV.encode())[0] == "x-azure-acme-0"
    java = "Package,GroupId\n" + "".join(f"{name},com.acme\n" for name in NAMES)
    assert names_in(source(), java.encode())[0] == "com.acme:azure-acme-0"


@pytest.mark.parametrize(
    ("format_", "body"),
    [
        ("azure-csv", b""),
        ("azure-csv", b"<html>busy</html>"),
        ("azure-csv", b"\xff\xfe\x00"),
        ("azure-csv", b"Package\n" + b"one\n" * 19),
        ("azure-csv", b'Package\n"' + b"one\n" * 30),
        ("github-folders", b""),
        ("github-folders", b"{"),
        ("github-folders", b'{"message": "API rate limit exceeded"}'),
        ("github-folders", b"[1, 2]"),
        ("github-folders", b'[{"type": "dir"}]'),
        ("github-folders", b"[]"),
    ],
)
def test_a_body_of_another_kind_is_no_empty_list(format_: str, body: bytes) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        names_in(source(format=format_), body)
    assert caught.value.code == "scan.catalogue_unchecked"


def test_additions_are_what_the_file_does_not_know() -> None:
    found = additions(provider(*NAMES[1:-2]), source(ignore={NAMES[-1]: "a tool"}), CSV.encode())
    assert [(each.surface, each.name, each.url) for each in found] == [("pypi", NAMES[-2], URL)]


def test_clients_are_compared_with_the_services() -> None:
    found = additions(provider("x"), source(lists="client", format="github-folders"), FOLDERS.encode())
    assert [each.name for each in found] == [name for name in NAMES if name != "azure-acme-1"]


@pytest.mark.parametrize(
    ("known", "body", "code", "says"),
    [
        (NAMES[1:], CSV, 0, ""),
        (NAMES[1:-1], CSV, 1, "acme: pypi 'azure-acme-29' is not in the catalogue"),
        (NAMES[1:], "oops", 3, "scan.catalogue_unchecked"),
    ],
)
def test_exit_codes(known: list[str], body: str, code: int, says: str) -> None:
    said: list[str] = []
    assert check([provider(*known)], said.append, get=lambda _: body.encode()) == code
    assert says in "\n".join(said)


def test_undecided_outweighs_additions_and_all_sources_are_heard() -> None:
    def get(url: str) -> bytes:
        if "python" in url:
            raise CouldNotDecide("scan.catalogue_unchecked", url, expected="", remedy="")
        return CSV.encode()

    said: list[str] = []
    assert check([PROVIDERS["azure"]], said.append, get=get) == 3
    assert any("azure-acme-3" in line for line in said)


def test_no_source_at_all_is_undecided() -> None:
    assert check([], print) == 3


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_provider_has_a_source_that_a_program_can_read(name: str) -> None:
    assert any(each.format is not None and each.lists is not None for each in PROVIDERS[name].sources)


@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_script_ends_with_the_answer(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Callable[..., int] = partial(lambda *_: code)
    monkeypatch.setattr(sources, "check", answer)
    script = Path(__file__).parents[5] / "scripts" / "check_catalogue.py"
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == code
