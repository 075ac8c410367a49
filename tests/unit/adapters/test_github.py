from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from aegis.adapters.github import code_scanning as adapter
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.ports.code_scanning import Analysis, CodeScanning, Receipt
from aegis.core.verdict import Verdict
from aegis.report import sarif
from tests.doubles import github as double
from tests.doubles.github import TOKEN, Fault
from tests.support.network.ports import nobody
from tests.support.verdicts.verdicts import COMMIT, failing, finding, verdict


@dataclass
class Time:
    """A clock that only sleeping moves."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)
    chance: float = 0.5

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def clock(self) -> adapter.Clock:
        return adapter.Clock(now=lambda: self.seconds, sleep=self.sleep, jitter=lambda: self.chance)


@pytest.fixture
def service() -> Iterator[double.GitHub]:
    with double.serve(double.GitHub()) as running:
        yield running


@pytest.fixture
def time() -> Time:
    return Time()


def client(service: double.GitHub, time: Time, token: str = TOKEN) -> adapter.GitHub:
    return adapter.GitHub(token, service.api, time.clock())


ANALYSIS = Analysis(
    sarif=sarif.render(failing()),
    repository="octo/widgets",
    commit=COMMIT,
    ref="refs/pull/7/merge",
    started="2026-01-02T03:04:05Z",
)

PLACE = ("runs", 0, "results", 0, "locations", 0, "physicalLocation")


def refused(scanning: CodeScanning, analysis: Analysis = ANALYSIS) -> str:
    """What the user is told; never the token."""
    with pytest.raises(CouldNotDecide) as caught:
        scanning.upload(analysis)
    assert caught.value.code == "core.upload_failed"
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


class TestUpload:
    def test_the_file_arrives_whole_and_is_read(self, service: double.GitHub, time: Time) -> None:
        assert client(service, time).upload(ANALYSIS) == Receipt("6c81cd8e-1", "complete")
        (upload,) = service.uploads
        assert upload.raw == ANALYSIS.sarif
        assert upload.body["commit_sha"] == COMMIT
        assert upload.body["ref"] == "refs/pull/7/merge"
        assert upload.body["tool_name"] == "aegis"
        assert time.slept == []

    @pytest.mark.parametrize(
        "given",
        [
            verdict(),
            failing(*(finding(line=n) for n in range(1, 6_000))),
            failing(finding(path="caf\udce9 [x]:1.py", line=None), finding(path=None)),
        ],
    )
    def test_what_we_render_is_what_it_processes(self, service: double.GitHub, time: Time, given: Verdict) -> None:
        receipt = client(service, time).upload(replace(ANALYSIS, sarif=sarif.render(given)))
        assert receipt.state == "complete"

    def test_enterprise_server_has_a_path_before_it(self, time: Time) -> None:
        with double.serve(double.GitHub(prefix="/api/v3")) as service:
            assert client(service, time).upload(ANALYSIS).state == "complete"
            with pytest.raises(CouldNotDecide):
                adapter.GitHub(TOKEN, service.address, time.clock()).upload(ANALYSIS)

    def test_it_waits_until_the_file_was_read(self, service: double.GitHub, time: Time) -> None:
        service.polls = ["unknown", "pending", "pending"]
        assert client(service, time).upload(ANALYSIS).state == "complete"
        assert time.slept == [1.0, 2.0, 4.0]

    def test_its_patience_has_an_end(self, service: double.GitHub, time: Time) -> None:
        service.polls = ["pending"] * 1_000
        assert client(service, time).upload(ANALYSIS).state == "pending"
        assert time.seconds <= adapter.POLL_SECONDS
        assert len(service.requests) < 15

    def test_a_file_that_cannot_be_processed_is_an_error(self, service: double.GitHub, time: Time) -> None:
        broken = json.loads(ANALYSIS.sarif)
        broken["runs"][0]["results"][0]["locations"] = []
        told = refused(client(service, time), replace(ANALYSIS, sarif=json.dumps(broken).encode()))
        assert "expected at least one location" in told

    @pytest.mark.parametrize(
        ("path", "value", "told"),
        [
            (("version",), "2.0.0", "not a SARIF 2.1.0 file"),
            (("runs", 0, "tool", "driver", "name"), "", "without a tool name"),
            (("runs", 0, "results"), None, "without results"),
            (("runs", 0, "tool", "driver", "rules", 0, "properties", "tags"), ["x"] * 21, "20 tags"),
            (("runs", 0, "results", 0, "ruleIndex"), 0, "ruleIndex"),
            (("runs", 0, "results", 0, "message", "text"), "", "without a message"),
            ((*PLACE, "artifactLocation", "uri"), "/etc/passwd", "not a relative URI"),
            ((*PLACE, "artifactLocation", "uri"), "a b.py", "not a relative URI"),
            ((*PLACE, "artifactLocation", "uri"), "file:a.py", "not a relative URI"),
            ((*PLACE, "region"), {}, "without a line"),
        ],
    )
    def test_the_double_is_as_strict_as_the_service(
        self, service: double.GitHub, time: Time, path: tuple[str | int, ...], value: object, told: str
    ) -> None:
        document: Any = json.loads(ANALYSIS.sarif)
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        assert told in refused(client(service, time), replace(ANALYSIS, sarif=json.dumps(document).encode()))

    def test_two_runs_of_one_category_are_refused(self, service: double.GitHub, time: Time) -> None:
        document = json.loads(ANALYSIS.sarif)
        document["runs"] *= 2
        told = refused(client(service, time), replace(ANALYSIS, sarif=json.dumps(document).encode()))
        assert "same category" in told

    def test_a_file_that_is_too_long_is_not_sent(
        self, service: double.GitHub, time: Time, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapter, "MAX_UPLOAD", 100)
        assert "at most 100" in refused(client(service, time))
        assert service.requests == []


class TestRefusals:
    @pytest.mark.parametrize(
        ("fault", "told"),
        [
            (Fault(401, "Bad credentials"), "401 Bad credentials"),
            (Fault(403, "Resource not accessible by integration"), "`security-events: write`"),
            (Fault(403, "Code Security must be enabled for this repository"), "Code Security must be enabled"),
            (Fault(404, "Not Found"), "a repository with code scanning"),
            (Fault(413, "Payload Too Large"), "at most 10000000 bytes"),
            (Fault(422, "Validation Failed"), "422 Validation Failed"),
            (Fault(200, "odd"), "202 Accepted"),
        ],
    )
    def test_a_clear_no_is_final(self, service: double.GitHub, time: Time, fault: Fault, told: str) -> None:
        service.faults = [fault]
        assert told in refused(client(service, time))
        assert len(service.requests) == 1

    @pytest.mark.parametrize(
        ("change", "status"),
        [({"repository": "octo/other"}, "404"), ({"commit": "abc"}, "400"), ({"ref": "main"}, "400")],
    )
    def test_what_the_service_would_not_take(
        self, service: double.GitHub, time: Time, change: dict[str, str], status: str
    ) -> None:
        analysis = replace(ANALYSIS, **change)  # type: ignore[arg-type] # the values are all text here
        assert f"SARIF file: {status}" in refused(client(service, time), analysis)
        assert service.uploads == []

    def test_a_wrong_token(self, service: double.GitHub, time: Time) -> None:
        assert "401 Bad credentials" in refused(client(service, time, TOKEN[::-1]))

    def test_a_token_that_may_only_read(self, service: double.GitHub, time: Time) -> None:
        service.read_only = True
        assert "Resource not accessible by integration" in refused(client(service, time))

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_no_redirect_is_followed(self, service: double.GitHub, time: Time, status: int) -> None:
        with double.serve(double.GitHub()) as other:
            service.faults = [
                Fault(status, "moved", {"Location": f"{other.api}/repos/octo/widgets/code-scanning/sarifs"})
            ]
            assert "redirect" in refused(client(service, time))
            assert other.requests == []

    @pytest.mark.parametrize("raw", [b'{"id": ""}', b"[]", b"\xff", b"{"])
    def test_an_answer_without_an_id(self, service: double.GitHub, time: Time, raw: bytes) -> None:
        head = f"HTTP/1.0 202 Accepted\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
        service.faults = [Fault(raw=head + raw)]
        assert "without an id" in refused(client(service, time))

    def test_an_endless_answer_is_not_read_to_its_end(self, service: double.GitHub, time: Time) -> None:
        body = b'{"pad": "' + b"x" * 1_500_000 + b'", "id": "late"}'
        service.faults = [Fault(raw=b"HTTP/1.0 202 Accepted\r\n\r\n" + body)]
        assert "without an id" in refused(client(service, time))

    def test_a_trickling_answer_has_its_time(self, service: double.GitHub, time: Time) -> None:
        body = b'{"pad": "' + b"x" * 900_000 + b'", "id": "late"}'
        service.faults = [Fault(raw=b"HTTP/1.0 202 Accepted\r\n\r\n" + body)]

        def later() -> float:
            time.seconds += 25.0
            return time.seconds

        scanning = adapter.GitHub(TOKEN, service.api, replace(time.clock(), now=later))
        assert "without an id" in refused(scanning)

    @pytest.mark.parametrize("raw", [b"{}", b'{"processing_status": "lost"}', b"<html>"])
    def test_a_state_that_nobody_knows(self, service: double.GitHub, time: Time, raw: bytes) -> None:
        head = f"HTTP/1.0 200 OK\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
        scanning = client(service, time)
        accepted = b'HTTP/1.0 202 Accepted\r\n\r\n{"id": "x"}'
        service.faults = [Fault(raw=accepted), Fault(raw=head + raw)]
        assert "could not read the SARIF file" in refused(scanning)


class TestRetries:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault(500, times=3),
            Fault(502, times=2),
            Fault(503, times=1),
            Fault(429, "slow down", {"Retry-After": "2"}, times=3),
            Fault(raw=b"", times=3),
            Fault(raw=b"SSH-2.0-OpenSSH_9.2\r\n", times=2),
        ],
        ids=str,
    )
    def test_a_passing_fault_is_tried_again(self, service: double.GitHub, time: Time, fault: Fault) -> None:
        service.faults = [fault]
        assert client(service, time).upload(ANALYSIS).state == "complete"
        assert len(time.slept) == fault.times
        assert time.seconds <= adapter.RETRY_SECONDS

    def test_four_tries_are_the_end(self, service: double.GitHub, time: Time) -> None:
        service.faults = [Fault(500, "down", times=100)]
        assert "500 down" in refused(client(service, time))
        assert len(service.requests) == adapter.TRIES

    @pytest.mark.parametrize("chance", [0.0, 1.0])
    def test_waits_grow_with_jitter_and_a_bound(self, service: double.GitHub, chance: float) -> None:
        service.faults = [Fault(500, times=100)]
        time = Time(chance=chance)
        refused(client(service, time))
        assert time.slept == [delay * (0.5 + chance) for delay in (0.5, 1.0, 2.0)]

    @pytest.mark.parametrize("after", ["11", "999999999999999999999"])
    def test_nobody_is_waited_for_longer_than_the_bound(self, service: double.GitHub, time: Time, after: str) -> None:
        service.faults = [Fault(429, "slow down", {"Retry-After": after}, times=100)]
        assert "429 slow down" in refused(client(service, time))
        assert time.slept == []

    @pytest.mark.parametrize("after", ["-1", "soon", "²", "Wed, 21 Oct 2026 07:28:00 GMT", ""])
    def test_a_wait_that_is_no_number_is_not_followed(self, service: double.GitHub, time: Time, after: str) -> None:
        raw = f"HTTP/1.0 429 No\r\nRetry-After: {after}\r\n\r\n".encode("latin-1")
        service.faults = [Fault(raw=raw)]
        client(service, time).upload(ANALYSIS)
        assert time.slept == [0.5]

    def test_a_silent_service_is_given_up(self, service: double.GitHub, time: Time) -> None:
        service.faults = [Fault(silence=600, times=100)]
        told = refused(adapter.GitHub(TOKEN, service.api, time.clock(), timeout=0.05))
        assert "could not be reached: TimeoutError" in told

    def test_nobody_listens(self, time: Time) -> None:
        with nobody() as address:
            assert "could not be reached: ConnectionRefusedError" in refused(
                adapter.GitHub(TOKEN, address, time.clock())
            )
        assert len(time.slept) == adapter.TRIES - 1


class TestToken:
    @pytest.mark.parametrize(
        "api",
        [
            "http://api.github.com",
            "http://169.254.169.254",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://",
            "https://u:p@api.github.com",
            "https://api.github.com/?x=1",
            "https://api.github.com/#x",
            "",
        ],
    )
    def test_it_is_not_sent_anywhere_else(self, api: str) -> None:
        with pytest.raises(UsageError, match="GITHUB_API_URL"):
            adapter.GitHub(TOKEN, api)

    @pytest.mark.parametrize("api", ["https://api.github.com", "https://ghes.example:8443/api/v3"])
    def test_these_are_api_addresses(self, api: str) -> None:
        assert adapter.GitHub(TOKEN, api).api == api

    @pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "a\nb", "é"])
    def test_a_token_that_would_break_a_header_is_refused_and_not_shown(self, token: str) -> None:
        with pytest.raises(UsageError, match="GitHub token") as caught:
            adapter.GitHub(token)
        assert token == "" or token not in str(caught.value)

    def test_it_is_in_no_log_and_no_text(
        self, service: double.GitHub, time: Time, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        scanning = client(service, time)
        scanning.upload(ANALYSIS)
        for fault in (Fault(500, times=4), Fault(401, f"no {TOKEN}"), Fault(raw=TOKEN.encode() + b"\r\n", times=4)):
            service.faults = [fault]
            refused(scanning)
        out = capfd.readouterr()
        assert TOKEN not in repr(scanning) + caplog.text + out.out + out.err

    def test_no_proxy_sees_it_on_the_way_to_this_machine(
        self, service: double.GitHub, time: Time, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with double.serve(double.GitHub()) as proxy:
            monkeypatch.setenv("http_proxy", proxy.address)
            assert client(service, time).upload(ANALYSIS).state == "complete"
            assert proxy.requests == []
