"""The audit log over the API: pages, proofs and raw resources, each only of what a checkpoint covers."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from aegis.audit.keys import load_or_create_key, verifier_of
from aegis.audit.proof import verify_proof
from aegis.core.merkle import hash_leaf
from tests.unit.api.conftest import Api


def fill(api: Api, count: int) -> None:
    """So many writes, of two entries each."""
    for number in range(count):
        assert api.say("/v1/models/shop/quarantine", f'{{"reason":"number {number}"}}'.encode()).status == 200


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
    fill(api, 130)  # more than one bundle of 256
    page = api.ask("GET", "/v1/audit/entries?start=250&limit=10").json()
    assert [entry["index"] for entry in page["entries"]] == list(range(250, 260))
    for entry in page["entries"]:
        single = api.ask("GET", f"/v1/audit/entries/{entry['index']}").json()
        assert single["entry"] == entry["entry"]
        assert single["leaf_hash"] == entry["leaf_hash"]


def test_an_entry_is_given_in_its_own_bytes_and_proven(api: Api, tmp_path_factory: pytest.TempPathFactory) -> None:
    fill(api, 3)
    answer = api.ask("GET", "/v1/audit/entries/2")
    raw = answer.body[answer.body.index(b'"entry":') + 8 : answer.body.index(b',"size":')]
    assert base64.b64encode(hash_leaf(raw)).decode() == answer.json()["leaf_hash"]
    assert json.loads(raw) == answer.json()["entry"]
    folder = api.deployment.log.real._folder
    key = verifier_of(load_or_create_key(folder.parent / "audit.key"), "example.com/audit")
    assert verify_proof(answer.json()["tlog_proof"].encode(), raw, key).size == answer.json()["size"]


@pytest.mark.parametrize("index", ["6", "7", "9999999999999999"])
def test_what_the_log_does_not_hold_is_not_proven(api: Api, index: str) -> None:
    fill(api, 3)
    size = api.ask("GET", "/v1/audit/entries").json()["size"]
    assert int(index) >= size
    answer = api.ask("GET", f"/v1/audit/entries/{index}")
    assert (answer.status, answer.code) == (404, "runtime.api_entry_unknown")
    answer = api.ask("GET", f"/v1/audit/consistency?from=1&to={int(index) + 1}")
    assert (answer.status, answer.code) == (404, "runtime.api_entry_unknown")


def test_an_entry_that_is_not_the_trees_is_not_given(api: Api) -> None:
    fill(api, 3)
    read = api.deployment.log.read

    def tampered(path: str) -> bytes | None:
        content = read(path)
        return content.replace(b"number 1", b"number 7") if content and "entries" in path else content

    api.deployment.log.read = tampered  # type: ignore[method-assign]
    answers = [api.ask("GET", f"/v1/audit/entries/{index}") for index in range(6)]
    assert {answer.code for answer in answers if answer.status != 200} == {"audit.unavailable"}
    assert "number 7" not in str(answers)


@pytest.mark.parametrize(
    "path",
    ["checkpoint", "tile/0/000.p/{size}", "tile/entries/000.p/{size}"],
)
def test_resources_are_served_as_they_are(api: Api, path: str) -> None:
    fill(api, 3)
    size = api.ask("GET", "/v1/audit/entries").json()["size"]
    content = api.ask("GET", f"/v1/audit/tiles/{path.format(size=size)}").body
    if path == "checkpoint":
        assert content == api.ask("GET", "/v1/audit/checkpoint").body
    elif "entries" in path:
        entries = api.ask("GET", "/v1/audit/entries").json()["entries"]
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
