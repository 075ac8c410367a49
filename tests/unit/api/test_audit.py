"""The audit log over the API: pages, proofs and raw resources, each only of what a checkpoint covers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aegis.audit.bundle import entries_of, framed
from aegis.audit.checkpoint import note_of, sign_head
from aegis.audit.event import Event, Resource
from aegis.audit.keys import load_or_create_key, verifier_of
from aegis.audit.proof import verify_proof
from aegis.core.actor import Actor
from aegis.core.errors import Refused
from aegis.core.merkle import hash_children, hash_leaf
from aegis_multimodal_ai_system.api.auth import Auth
from tests.doubles.deployment import deployment
from tests.unit.api.conftest import Api


def fill(api: Api, count: int) -> None:
    """So many writes, of two entries each."""
    for number in range(count):
        assert api.say("/v1/models/shop/quarantine", f'{{"reason":"number {number}"}}'.encode()).status == 200


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, auth: Auth, tokens: dict[str, str]) -> Api:
    """Three writes, for tests that only read."""
    api = Api(deployment(tmp_path_factory.mktemp("written")), auth, tokens)
    fill(api, 3)
    return api


def append(api: Api, count: int) -> None:
    """So many entries, by several writers, who wait for the disk together."""
    actor = Actor(id="process:test", kind="process", display="test", issuer="local", subject="test")
    event = Event(action="model.revoked", actor=actor, resource=Resource(kind="model", name="shop"), outcome="success")
    with ThreadPoolExecutor(32) as writers:
        list(writers.map(api.deployment.log.append, [event] * count))


def test_pages_follow_each_other(api: Api) -> None:
    fill(api, 4)
    whole = api.ask("GET", "/v1/audit/entries?limit=256").json()
    assert whole["next"] is None
    found: list[Any] = []
    at = 0
    while at is not None:
        page = api.ask("GET", f"/v1/audit/entries?start={at}&limit=2").json()
        assert page["size"] == whole["size"]
        assert len(page["entries"]) <= 2
        found, at = found + page["entries"], page["next"]
    assert found == whole["entries"]
    assert [entry["index"] for entry in found] == list(range(whole["size"]))


def test_a_page_spans_bundles(api: Api) -> None:
    append(api, 260)  # more than one bundle of 256
    page = api.ask("GET", "/v1/audit/entries?start=250&limit=10").json()
    assert [entry["index"] for entry in page["entries"]] == list(range(250, 260))
    for entry in page["entries"]:
        single = api.ask("GET", f"/v1/audit/entries/{entry['index']}").json()
        assert single["entry"] == entry["entry"]
        assert single["leaf_hash"] == entry["leaf_hash"]


def test_an_entry_is_given_in_its_own_bytes_and_proven(written: Api) -> None:
    answer = written.ask("GET", "/v1/audit/entries/2")
    raw = answer.body[answer.body.index(b'"entry":') + 8 : answer.body.index(b',"size":')]
    assert base64.b64encode(hash_leaf(raw)).decode() == answer.json()["leaf_hash"]
    assert json.loads(raw) == answer.json()["entry"]
    key = verifier_of(load_or_create_key(written.deployment.log.folder / "audit.key"), "example.com/audit")
    assert verify_proof(answer.json()["tlog_proof"].encode(), raw, key).size == answer.json()["size"]


@pytest.mark.parametrize("index", ["6", "7", "9999999999999999"])
def test_what_the_log_does_not_hold_is_not_proven(written: Api, index: str) -> None:
    size = written.ask("GET", "/v1/audit/entries").json()["size"]
    assert int(index) >= size
    answer = written.ask("GET", f"/v1/audit/entries/{index}")
    assert (answer.status, answer.code) == (404, "runtime.api_entry_unknown")
    answer = written.ask("GET", f"/v1/audit/consistency?from=1&to={int(index) + 1}")
    assert (answer.status, answer.code) == (404, "runtime.api_entry_unknown")


def test_an_entry_that_is_not_the_trees_is_not_given(written: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    read = written.deployment.log.read

    def tampered(path: str) -> bytes | None:
        content = read(path)
        return content.replace(b"number 1", b"number 7") if content and "entries" in path else content

    monkeypatch.setattr(written.deployment.log, "read", tampered)
    answers = [written.ask("GET", f"/v1/audit/entries/{index}") for index in range(6)]
    assert {answer.code for answer in answers if answer.status != 200} == {"audit.unavailable"}
    assert "number 7" not in str(answers)


def replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new)


def without_the_last(bundle: bytes) -> bytes:
    return b"".join(framed(entry) for entry in list(entries_of(bundle))[:-1])


def with_tile(bundle: bytes) -> bytes:
    """The tile over what stands in a bundle."""
    return b"".join(hash_leaf(entry) for entry in entries_of(bundle))


@pytest.mark.parametrize("with_its_tile", [False, True], ids=["alone", "with its tile"])
@pytest.mark.parametrize(
    "tamper",
    [
        lambda bundle: replaced(bundle, b"number 1", b"number 7"),
        without_the_last,
        lambda bundle: bundle[:-3],
        lambda bundle: b"",
        lambda bundle: framed(b"}],[{"),
        lambda bundle: framed(b"}],[{") * 6,
        lambda bundle: b"".join(framed(entry) for entry in reversed(list(entries_of(bundle)))),
    ],
    ids=["edited", "shorter", "cut", "empty", "other JSON", "as many", "reversed"],
)
def test_no_page_shows_what_the_tree_does_not_hold(
    written: Api, monkeypatch: pytest.MonkeyPatch, tamper: Callable[[bytes], bytes], *, with_its_tile: bool
) -> None:
    read = written.deployment.log.read

    def tampered(path: str) -> bytes | None:
        content = read(path)
        if content and "tile/entries/" in path:
            return tamper(content)
        if content and with_its_tile and path.startswith("tile/0/"):
            bundle = read(path.replace("tile/0/", "tile/entries/"))
            assert bundle is not None
            try:
                return with_tile(tamper(bundle))
            except Refused:
                return content
        return content

    monkeypatch.setattr(written.deployment.log, "read", tampered)
    for query in ("", "?start=0&limit=1", "?start=5&limit=1"):
        answer = written.ask("GET", f"/v1/audit/entries{query}")
        assert (answer.status, answer.code) == (503, "audit.unavailable")


def test_more_than_the_head_covers_is_not_shown(written: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle may have grown since its checkpoint was signed."""
    whole = written.ask("GET", "/v1/audit/entries").json()
    read = written.deployment.log.read

    def grown(path: str) -> bytes | None:
        content = read(path)
        return content + framed(b"{}") if content and "tile/entries/" in path else content

    monkeypatch.setattr(written.deployment.log, "read", grown)
    assert written.ask("GET", "/v1/audit/entries").json() == whole


def test_what_is_no_event_is_not_put_into_an_answer(api: Api, tmp_path: Path) -> None:
    """Though the tree holds it, as one may that another program wrote."""
    entries = [b"}],[{", b"{}"]
    leaves = [hash_leaf(entry) for entry in entries]
    key, root = load_or_create_key(tmp_path / "key"), hash_children(*leaves)
    note = note_of(verifier_of(key, "o/x"), 2, root, sign_head(key, "o/x", 2, root))
    parts = {"tile/entries/000.p/2": b"".join(map(framed, entries)), "tile/0/000.p/2": b"".join(leaves)}
    api.deployment.log.checkpoint = lambda: note  # type: ignore[method-assign]
    api.deployment.log.read = parts.get  # type: ignore[method-assign, assignment]
    for target in ("entries", "entries?start=1", "entries/0", "entries/1"):
        answer = api.ask("GET", f"/v1/audit/{target}")
        assert (answer.status, answer.code) == (503, "audit.unavailable")


@pytest.mark.parametrize(
    "path",
    ["checkpoint", "tile/0/000.p/{size}", "tile/entries/000.p/{size}"],
)
def test_resources_are_served_as_they_are(written: Api, path: str) -> None:
    size = written.ask("GET", "/v1/audit/entries").json()["size"]
    content = written.ask("GET", f"/v1/audit/tiles/{path.format(size=size)}").body
    if path == "checkpoint":
        assert content == written.ask("GET", "/v1/audit/checkpoint").body
    elif "entries" in path:
        entries = written.ask("GET", "/v1/audit/entries").json()["entries"]
        length = int.from_bytes(content[:2])
        assert json.loads(content[2 : 2 + length]) == entries[0]["entry"]
    else:
        assert len(content) == 32 * size


def test_only_what_the_grammar_names_is_read(api: Api) -> None:
    asked: list[str] = []
    api.deployment.log.read = lambda path: asked.append(path)  # type: ignore[method-assign]
    for path in ("journal", "lock", "tile/0/00", "tile/0/000/", "tile/entries/000.p/0", "x/../checkpoint", "tile"):
        assert api.ask("GET", f"/v1/audit/tiles/{path}").status == 404
    assert asked == []


def test_without_the_log_nothing_is_told(api: Api) -> None:
    api.deployment.log.broken_after = 0
    for path in ("entries", "entries/0", "checkpoint", "tiles/checkpoint", "consistency?from=1&to=1"):
        answer = api.ask("GET", f"/v1/audit/{path}")
        assert (answer.status, answer.code) == (503, "audit.unavailable")
