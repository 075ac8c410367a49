"""Compares the catalogue with what the providers publish: which of their packages are not listed here?

A package that left a source stays listed: code that uses it is still out there.
"""

from __future__ import annotations

import csv
import http.client
import ipaddress
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.verdict import EXIT_FAIL, EXIT_PASS, worst_exit
from aegis.gates.scan.catalogue.compile import Format, Provider, Source, compile_index
from aegis.gates.scan.catalogue.lookup import Catalogue
from aegis.gates.scan.catalogue.names import normalise

TIMEOUT_SECONDS = 30
MAX_BYTES = 20_000_000
"""The largest source has half a megabyte; a stream without an end must not fill the runner."""
_PART_BYTES = 1_000_000
MIN_NAMES = 20
"""A provider publishes hundreds of packages; a shorter list is a changed format or an error page."""


@dataclass(frozen=True, slots=True)
class Addition:
    """A name that a source has and the catalogue does not know."""

    provider: str
    surface: str
    name: str
    url: str


class _StayOnHttps(urllib.request.HTTPRedirectHandler):
    """A redirect must not lead where the first request would not have gone."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _demand_https(newurl, allow_loopback=False)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, *, allow_loopback: bool = False, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """The body behind an https address. `allow_loopback` lets tests serve it over http from this machine."""
    _demand_https(url, allow_loopback=allow_loopback)
    request = urllib.request.Request(url, headers={"User-Agent": "aegis-catalogue-check"})  # noqa: S310 - demanded above
    try:
        with urllib.request.build_opener(_StayOnHttps).open(request, timeout=timeout) as answer:
            body = _read(url, answer, time.monotonic() + timeout)
    except (OSError, http.client.HTTPException) as error:
        raise _unavailable(url, str(error) or type(error).__name__) from error
    return body


def _read(url: str, answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """The whole body: not more than is reasonable, not less than was promised, not slower than the time limit."""
    body = b""
    while part := answer.read1(_PART_BYTES):
        body += part
        if len(body) > MAX_BYTES:
            raise _unavailable(url, f"the answer is longer than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise _unavailable(url, "the answer did not end in time")
    if answer.length:
        raise _unavailable(url, f"the answer ended {answer.length} bytes early")
    return body


def _demand_https(url: str, *, allow_loopback: bool) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" or (allow_loopback and parts.scheme == "http" and _is_loopback(parts.hostname)):
        return
    raise _unavailable(url, f"the scheme is '{parts.scheme}'")


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _unavailable(url: str, problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "scan.catalogue_unchecked",
        f"{url}: {problem}",
        expected="an https address that answers with the provider's list",
        remedy="Run it again; if the list has moved, correct the source in the provider's YAML file.",
    )


def _azure_names(body: bytes) -> Iterator[str]:
    """https://github.com/Azure/azure-sdk/tree/main/_data/releases/latest; Java rows carry their group."""
    for row in csv.DictReader(body.decode("utf-8-sig").splitlines(), strict=True):
        group = row.get("GroupId")
        yield f"{group}:{row['Package']}" if group else row["Package"]


def _folder_names(body: bytes) -> Iterator[str]:
    """https://docs.github.com/rest/repos/contents#get-repository-content."""
    for item in json.loads(body):
        if item["type"] == "dir":
            yield item["name"]


_FORMATS: Mapping[Format, Callable[[bytes], Iterator[str]]] = {
    "azure-csv": _azure_names,
    "github-folders": _folder_names,
}


def names_in(source: Source, body: bytes) -> list[str]:
    """The names that a source's body lists, as the catalogue spells them."""
    if source.format is None:
        raise ValueError(f"{source.url} is for people to read")
    try:
        names = [f"{source.prefix}{name}" for name in _FORMATS[source.format](body)]
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise _unavailable(source.url, f"not readable as {source.format}: {type(error).__name__}: {error}") from error
    if len(names) < MIN_NAMES:
        raise _unavailable(source.url, f"only {len(names)} names")
    return names


def additions(provider: Provider, source: Source, body: bytes) -> list[Addition]:
    """What this body lists and the provider's file does not know."""
    catalogue = Catalogue(compile_index({provider.provider: provider}), (provider.provider,))
    missing = (name for name in names_in(source, body) if name not in source.ignore)
    return [
        Addition(provider.provider, str(source.lists), name, source.url)
        for name in missing
        if not _is_known(provider, catalogue, source, name)
    ]


def _is_known(provider: Provider, catalogue: Catalogue, source: Source, name: str) -> bool:
    if source.lists is None or source.lists == "client":
        return catalogue.service_of_client(provider.provider, name) is not None
    names = provider.surfaces.get(source.lists)
    excluded = {normalise(source.lists, each) for each in names.exclude} if names else set()
    found = catalogue.match(source.lists, name)
    return found is not None or normalise(source.lists, name) in excluded


def check(providers: Iterable[Provider], say: Callable[[str], None], *, get: Callable[[str], bytes] = fetch) -> int:
    """Compare every source that a program can read; the exit code is 0 complete, 1 additions, 3 could not decide."""
    codes = []
    for provider in providers:
        for source in provider.sources:
            if source.format is not None:
                codes.append(_check_one(provider, source, say, get))
    return worst_exit(codes)


def _check_one(provider: Provider, source: Source, say: Callable[[str], None], get: Callable[[str], bytes]) -> int:
    try:
        found = additions(provider, source, get(source.url))
    except AegisError as error:
        say(f"{provider.provider}: {error.code}: {error}")
        return error.exit_code
    for each in found:
        say(f"{each.provider}: {each.surface} '{each.name}' is not in the catalogue ({each.url})")
    return EXIT_FAIL if found else EXIT_PASS
