"""`aegis report --repository`: artifacts are fetched from GitHub, and none of them is believed."""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.http import call as http_call
from aegis.cli.main import main
from aegis.cli.report import repository
from aegis.core.verdict import Verdict
from aegis.report import json_report
from tests.doubles.github_artifacts import FETCH, FORK, LIST, ArtifactsAtGitHub, Reply, Stored, serve
from tests.doubles.github_issues import TOKEN
from tests.support.verdicts.past_verdicts import past

NOW = datetime.datetime.now(datetime.UTC)


def verdict(run: int = 7, hours: float = 1.0, **changes: Any) -> Verdict:
    return past(NOW - datetime.timedelta(hours=hours), run=run, **changes)


def archive(*written: Verdict, name: str = "verdict.json") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for number, each in enumerate(written):
            opened.writestr(name if number == 0 else f"{number}/{name}", json_report.render(each))
    return file.getvalue()


def stored(run: int = 7, *, days: float = 1.0, **changes: Any) -> Stored:
    created = NOW - datetime.timedelta(days=days)
    return Stored(
        **{"name": f"scan-{run}", "archive": archive(verdict(run)), "created": created, "run": run, **changes}
    )


@dataclass(frozen=True)
class Done:
    """What the command said and wrote."""

    code: int
    out: str
    err: str
    page: str
    told: dict[str, Any]

    def reasons(self) -> list[str]:
        return [each["code"] for each in self.told["unread"]]


Run = Callable[..., Done]


@pytest.fixture
def github() -> Iterator[ArtifactsAtGitHub]:
    with serve(ArtifactsAtGitHub()) as served:
        yield served


@pytest.fixture
def run(
    github: ArtifactsAtGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.setenv("GITHUB_API_URL", github.address)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setattr(http_call, "RETRY_SECONDS", 0.0)

    def done(*arguments: str) -> Done:
        code = main(["report", "--repository", "octo/widgets", "--output", str(tmp_path / "out"), *arguments])
        shown = capsys.readouterr()
        page, told = tmp_path / "out" / "index.html", tmp_path / "out" / "report.json"
        found = Done(
            code,
            shown.out,
            shown.err,
            page.read_text() if page.exists() else "",
            json.loads(told.read_bytes()) if told.exists() else {},
        )
        assert TOKEN not in found.out + found.err + found.page + json.dumps(found.told)
        return found

    return done


def test_its_verdicts_are_on_the_page(run: Run, github: ArtifactsAtGitHub) -> None:
    github.artifacts += [stored(8), stored(9, archive=archive(verdict(9), verdict(9, gate="verify")), name="all-1")]
    done = run()
    assert (done.code, done.told["complete"], done.told["read"]) == (0, True, 3)
    assert {each["gate"] for each in done.told["gates"]} == {"scan", "verify"}
    assert "https://github.com/octo/widgets/actions/runs/9" in done.page


def test_the_token_goes_to_github_only_and_the_signed_address_nowhere(run: Run, github: ArtifactsAtGitHub) -> None:
    """The storage refuses who brings a token along; a signed address is as good as the archive."""
    github.artifacts.append(stored())
    done = run()
    assert done.code == 0
    assert "storage GET /artifacts/1.zip" in github.requests
    assert "sig=" not in done.page + json.dumps(done.told) + done.out + done.err


def test_every_page_of_the_list_is_read(run: Run, github: ArtifactsAtGitHub) -> None:
    github.artifacts += [stored(number, days=1 + number / 1_000) for number in range(1, 106)]
    done = run()
    assert (done.code, done.told["read"]) == (0, 105)
    assert sum("per_page=100" in line for line in github.requests) == 2


def test_older_ones_are_not_fetched(run: Run, github: ArtifactsAtGitHub) -> None:
    github.artifacts += [stored(1, days=1), stored(2, days=40)]
    done = run("--since", "30d")
    assert (done.code, done.told["read"]) == (0, 1)
    assert not any("artifacts/2/" in line for line in github.requests)


def test_after_a_hundred_older_ones_the_rest_of_the_list_is_left(run: Run, github: ArtifactsAtGitHub) -> None:
    github.artifacts += [stored(1), *(stored(number, days=100) for number in range(2, 260))]
    assert run().code == 0
    assert sum("per_page" in line for line in github.requests) == 2


class TestWhatIsNotCounted:
    """Whoever may upload an artifact may call it anything."""

    def test_a_fork_s_artifacts_are_told_and_not_fetched(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts += [stored(1), stored(2, head=FORK), stored(3, head=None)]
        done = run()
        assert (done.code, done.told["read"]) == (0, 1)
        assert ["2 artifacts are of a fork's run" in each for each in done.told["notes"]] == [True]
        assert sum("/zip" in line for line in github.requests) == 1

    def test_a_verdict_of_another_run_is_named(self, run: Run, github: ArtifactsAtGitHub) -> None:
        """E.g. yesterday's pass, uploaded again by a change of today."""
        github.artifacts += [stored(1), stored(2, archive=archive(verdict(1, hours=2)))]
        done = run()
        assert (done.code, done.told["read"], done.reasons()) == (3, 1, ["report.verdict_unfit"])
        assert "actions/runs/1" in done.told["unread"][0]["problem"]

    def test_one_that_was_made_on_a_laptop_is_named(self, run: Run, github: ArtifactsAtGitHub) -> None:
        laptop = past(NOW - datetime.timedelta(hours=1), run=None)
        github.artifacts += [stored(1), stored(2, archive=archive(laptop))]
        assert run().reasons() == ["report.verdict_unfit"]

    def test_one_of_another_repository_is_named(self, run: Run, github: ArtifactsAtGitHub) -> None:
        other = verdict(2)
        other = replace(other, source=replace(other.source, repository="octo/gears"))
        github.artifacts += [stored(1), stored(2, archive=archive(other))]
        done = run()
        assert done.reasons() == ["report.verdict_unfit"]
        assert "octo/gears" in done.told["unread"][0]["problem"]

    def test_what_has_expired_is_told(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts += [stored(1), stored(2, expired=True)]
        done = run()
        assert (done.code, done.told["read"]) == (0, 1)
        assert "1 artifacts are expired, so GitHub has them no longer: scan-2 (2)" in done.told["notes"]
        assert "expired, so GitHub has them no longer" in done.page

    def test_what_is_too_large_for_a_verdict_is_told(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts += [stored(1), stored(2, size=1 << 30)]
        done = run()
        assert (done.code, done.told["read"]) == (0, 1)
        assert "larger than 16 MiB" in done.told["notes"][0]


class TestFaults:
    """Whatever could not be had is on the page, and the command does not end as if all were there."""

    def test_one_that_is_gone_meanwhile(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts += [stored(1), stored(2, gone=True)]
        done = run()
        assert (done.code, done.told["read"], done.reasons()) == (3, 1, ["report.artifact_failed"])
        assert "410 Artifact has expired" in done.told["unread"][0]["problem"]
        assert "report.incomplete" in done.err

    def test_another_archive_than_github_names(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts += [stored(1), stored(2, digest="sha256:" + "0" * 64)]
        done = run()
        assert (done.told["read"], done.reasons()) == (1, ["report.artifact_failed"])
        assert "another digest" in done.told["unread"][0]["problem"]

    def test_one_whose_digest_is_not_told_is_read(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts.append(stored(1, digest=""))
        assert run().code == 0

    def test_an_archive_that_claims_to_be_small_and_is_not(
        self, run: Run, github: ArtifactsAtGitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aegis.adapters.github.artifacts.MAX_ARCHIVE", 2_000)
        github.artifacts += [stored(1, archive=b"x" * 3_000, size=10)]
        done = run()
        assert done.reasons() == ["report.artifact_failed"]
        assert "more than 2,000 bytes" in done.told["unread"][0]["problem"]

    def test_an_archive_that_is_none(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts += [stored(1), stored(2, archive=b"<html>")]
        assert run().reasons() == ["report.archive_unfit"]

    def test_one_that_is_cut_on_its_way(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts.append(stored(1))
        github.replies["storage"] = [Reply(200, archive(verdict(1))[:50], cut=500)]
        done = run()
        assert (done.code, done.told["read"], done.reasons()) == (3, 0, ["report.artifact_failed"])

    @pytest.mark.parametrize("address", ["http://192.0.2.1/x", "file:///etc/passwd", "ftp://x", "//x", ""])
    def test_a_redirect_to_where_no_secret_may_go_is_not_followed(
        self, address: str, run: Run, github: ArtifactsAtGitHub
    ) -> None:
        github.artifacts.append(stored(1))
        github.replies[FETCH] = [Reply(302, b"", {"Location": address})]
        done = run()
        assert done.reasons() == ["report.artifact_failed"]
        assert "no https" in done.told["unread"][0]["problem"]

    def test_a_second_redirect_is_not_followed(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts.append(stored(1))
        github.replies["storage"] = [Reply(302, b"", {"Location": "http://127.0.0.1:1/"})]
        done = run()
        assert done.reasons() == ["report.artifact_failed"]
        assert "the storage says 302" in done.told["unread"][0]["problem"]

    def test_after_three_failures_in_a_row_nobody_is_asked_any_more(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts += [stored(number) for number in range(1, 8)]
        github.replies[FETCH] = [Reply(404, b'{"message": "Not Found"}', times=99)]
        done = run()
        assert done.reasons() == ["report.artifact_failed"] * 4
        assert done.told["unread"][3]["place"] == "4 more artifacts of octo/widgets"

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(429, b'{"message": "slow down"}', times=99),
            Reply(403, b'{"message": "API rate limit exceeded for installation ID 7."}', times=99),
            Reply(403, b'{"message": "You have exceeded a secondary limit"}', {"Retry-After": "60"}, times=99),
        ],
        ids=["429", "primary", "secondary"],
    )
    def test_at_a_rate_limit_what_is_left_is_told(self, reply: Reply, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts += [stored(number) for number in range(1, 6)]
        github.replies[FETCH] = [reply]
        done = run()
        assert (done.code, done.reasons()) == (3, ["github.rate_limited"] * 2)
        assert done.told["unread"][1]["place"] == "4 more artifacts of octo/widgets"
        assert sum("/zip" in line for line in github.requests) <= http_call.TRIES

    def test_more_than_are_fetched_is_told(
        self, run: Run, github: ArtifactsAtGitHub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(repository, "_MOST", 2)
        github.artifacts += [stored(number) for number in range(1, 4)]
        done = run()
        assert (done.code, done.told["read"], done.reasons()) == (3, 2, ["report.too_much"])


class TestNotEvenTheList:
    def refused(self, done: Done, code: int, reason: str) -> None:
        assert (done.code, reason in done.err, done.page) == (code, True, ""), done.err

    def test_without_a_token(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("GITHUB_TOKEN")
        monkeypatch.delenv("GH_TOKEN", raising=False)
        self.refused(run(), 2, "github.token_refused")

    def test_with_a_wrong_token(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITHUB_TOKEN", "ghp_other")
        self.refused(run(), 3, "github.token_refused")

    def test_with_a_token_that_may_not(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.right = False
        done = run()
        self.refused(done, 3, "github.no_permission")
        assert "`actions: read`" in done.err

    def test_of_a_repository_that_was_renamed(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.name_of_today = "evil/widgets"
        self.refused(run(), 3, "github.not_found")

    def test_of_a_repository_that_is_not_there(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.repository = "octo/gears"
        self.refused(run(), 3, "github.not_found")

    @pytest.mark.parametrize("body", [b"[]", b'{"artifacts": 7}', b'{"artifacts": [{"id": "x"}]}', b"<html>"])
    def test_of_another_form(self, body: bytes, run: Run, github: ArtifactsAtGitHub) -> None:
        github.replies[LIST] = [Reply(200, body)]
        self.refused(run(), 3, "github.answer_invalid")

    def test_without_any_verdict(self, run: Run, github: ArtifactsAtGitHub) -> None:
        github.artifacts.append(stored(1, expired=True))
        done = run()
        self.refused(done, 3, "report.nothing_found")
        assert "1 artifacts are expired" in done.err

    @pytest.mark.parametrize("name", ["octo", "octo/widgets/x", "../x", "octo/wid gets", ""])
    def test_of_what_is_no_name(self, name: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["report", "--repository", name]) == 2
        assert "core.wrong_usage" in capsys.readouterr().err
