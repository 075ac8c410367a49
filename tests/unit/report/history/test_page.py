"""The page and the JSON say the same, all of it, and nothing that was in a verdict becomes more than text."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from aegis.core.verdict import Verdict
from aegis.report import json_report
from aegis.report.history import document, page
from aegis.report.history.collected import Collected, Unread
from aegis.report.history.facts import history
from tests.support.pages.html_reader import Read, read
from tests.support.verdicts import verdicts
from tests.support.verdicts.past_verdicts import (
    NOW,
    ago,
    artifact,
    database,
    failed,
    of_backups,
    of_models,
    of_rollout,
    past,
    suppression,
    weeks,
)

WEEK = datetime.timedelta(days=7)


def collected(*given: Verdict) -> Collected:
    found = Collected(now=NOW)
    for number, verdict in enumerate(given):
        found.take(f"{number}/verdict.json", partial(bytes, json_report.render(verdict)))
    return found


def made(found: Collected) -> tuple[Read, dict[str, Any]]:
    facts = history(found, WEEK)
    return (
        read(page.render(facts, found, ["verdicts"], "aegis 1.0.0")),
        json.loads(document.render(facts, found, ["verdicts"])),
    )


def test_the_page_says_what_the_verdicts_say() -> None:
    shown, told = made(collected(*weeks()))
    text = " ".join(shown.words)
    for words in (
        "23 verdicts of octo/widgets, 2026-11-26 12:00 UTC",
        "Gates that pass now ✓ ",
        "1 of 2 unproven",
        "backup-check",
        "10 d ago ! stale",
        "5 h of 7 d ✓ in time",
        "unknown of 7 d ✗ too old",
        "full, rows",
        "https://github.com/octo/models/.github/workflows/sign.yml@refs/heads/main (keyless, 2026-11-20T00:00:00Z)",
        "2026-12-02 ! 6 d waiver scan",
        "2026-12-24 28 d suppression scan scan.runtime src/old.py @octo/platform moves next quarter",
        "shop/web 5 ✗ abort 2e+04 (aborts at 100)",
        "Everything that was found could be read.",
        "no signature is verified",
    ):
        assert words in text or words.startswith("Gates that pass now"), words
    assert told["complete"] is True
    assert (told["read"], len(told["answers"]), told["unread"]) == (23, 23, [])


def test_the_json_has_every_fact() -> None:
    _, told = made(collected(*weeks()))
    assert told["schema"] == "aegis.report/v1"
    assert [each["gate"] for each in told["gates"]] == ["backup-check", "canary", "scan", "verify"]
    assert told["gates"][3]["stale"] is True
    assert told["databases"][0]["age"] == 5 * 3600
    assert told["databases"][1]["proven"] is None
    assert told["artifacts"][0]["signed_by"][0]["method"] == "keyless"
    assert [each["expires"] for each in told["exceptions"]] == ["2026-12-02", "2026-12-24"]
    assert len(told["rollouts"][0]["looks"]) == 30
    assert told["answers"][0]["verdict"]["run_url"] == "https://github.com/octo/widgets/actions/runs/100"


def test_what_could_not_be_read_stands_at_the_top_by_name() -> None:
    found = collected(past(ago(days=1)))
    found.unread.append(Unread("x/verdict.json", "core.verdict_invalid", "it is not JSON"))
    found.notes.append("3 artifacts are expired")
    shown, told = made(found)
    text = " ".join(shown.words)
    assert text.index("1 could not be read and are missing below") < text.index("Gates that pass now")
    assert "x/verdict.json core.verdict_invalid it is not JSON" in text
    assert "3 artifacts are expired" in text
    assert ("a", "href", "#not-read") in shown.attributes
    assert ("section", "id", "not-read") in shown.attributes
    assert (told["complete"], told["unread"][0]["place"]) == (False, "x/verdict.json")


def test_evidence_of_an_unknown_form_stands_at_the_top() -> None:
    odd = replace(of_models(ago(days=1)), evidence=(replace(of_models(ago(days=1)).evidence[0], value=7),))
    shown, told = made(collected(odd))
    assert "1 pieces of evidence have an unknown form" in " ".join(shown.words)
    assert told["complete"] is False


def test_without_any_verdict_it_still_says_what_is_missing() -> None:
    found = Collected(now=NOW, unread=[Unread("x", "core.verdict_invalid", "cut")])
    shown, _ = made(found)
    assert "0 verdicts of nothing" in " ".join(shown.words)


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("https://github.com/octo/widgets/actions/runs/7", True),
        ("https://github.example/octo/widgets/actions/runs/7", True),
        ("https://github.com/evil/widgets/actions/runs/7", False),
        ("https://evil.example/?octo/widgets/actions/runs/7", False),
        ("https://github.com@evil.example/octo/widgets/actions/runs/7", False),
        ("javascript:alert(1)//octo/widgets/actions/runs/7", False),
        ("http://github.com/octo/widgets/actions/runs/7", False),
    ],
)
def test_a_run_is_linked_where_it_is_one_of_the_repository(address: str, leads: bool) -> None:
    verdict = past(ago(days=1))
    shown, _ = made(collected(replace(verdict, source=replace(verdict.source, run_url=address))))
    assert ("a" in shown.names) is leads


@pytest.mark.parametrize("value", verdicts.HOSTILE)
def test_whatever_a_verdict_holds_stays_text(value: str) -> None:
    """Whoever made the file chose every string of it."""
    odd = failed(
        ago(hours=1),
        source=replace(verdicts.verdict().source, repository=value, actor=value, event=value, run_url=value),
        waivers=(replace(verdicts.waiver(), rule=value, owner=value, reason=value, expires="2026-12-01"),),
        notices=(value,),
    )
    odd = replace(
        odd, policy=replace(odd.policy, effective={"suppressions": [suppression(value, rule=value, path=value)]})
    )
    given = [
        odd,
        of_backups(ago(hours=2), database(value, outcome=value)),
        of_models(ago(hours=3), artifact(value, kind=value, source=value, release=value, sha256=value)),
        of_rollout(ago(hours=4), run=9),
    ]
    found = collected(*given)
    found.unread.append(Unread(value, "core.verdict_invalid", value))
    found.notes.append(value)
    shown, _ = made(found)
    plain, _ = made(collected(*weeks()))
    elements = set(plain.names) | {"br", "a"}
    assert set(shown.names) <= elements
    known = {name for _, name, _ in plain.attributes}
    assert {name for _, name, _ in shown.attributes} <= known | {"href", "rel"}
    links = [address for _, name, address in shown.attributes if name == "href"]
    assert all(
        address in {"data:,", "#not-read"} or address.startswith("https://github.com/octo/widgets/")
        for address in links
    )


def test_the_same_verdicts_give_the_same_bytes_in_any_order() -> None:
    given = weeks()
    pages = []
    for each in (given, given[::-1]):
        found = collected(*each)
        pages.append(page.render(history(found, WEEK), found, ["x"], "aegis").replace(b"verdict.json", b""))
    assert pages[0] == pages[1]
