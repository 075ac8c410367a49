"""Alerts: each sink against a server, and what becomes of a storm, of a sink that is down, and of hostile texts."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis_multimodal_ai_system.alerts import Alert, Alerts, alerts_of
from aegis_multimodal_ai_system.alerts.alert import MAX_TEXT
from aegis_multimodal_ai_system.alerts.alertmanager import LASTS, Alertmanager
from aegis_multimodal_ai_system.alerts.alerts import AGAIN, MAX_TOLD, QUIET
from aegis_multimodal_ai_system.alerts.issue import LABEL, Issue, _text
from aegis_multimodal_ai_system.alerts.webhook import Webhook
from aegis_multimodal_ai_system.settings import Settings
from tests.doubles import github as github_double
from tests.doubles.github import TOKEN, GitHub
from tests.doubles.github_issues import Issues

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ALERT = Alert(
    model="fraud",
    version="1.2.0",
    reason="verify.wrong_signature",
    message="the signature is not valid",
    digest="ab" * 32,
    correlation_id="018f-1",
    time=NOW,
)
PATH = "/services/T0/B0/s3cr3tTokenOfTheHook"


@dataclass
class Server:
    """Takes documents; its script before, what it was asked afterwards."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    silence: float = 0.0
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    address: str = ""
    statuses: list[int] = field(default_factory=list)
    """Of the first answers."""


@contextmanager
def serve(server: Server) -> Iterator[Server]:
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            server.asked.append((self.command, self.path, json.loads(body)))
            ended.wait(server.silence)
            echo = json.dumps({"message": f"you sent {self.path} {body.decode()}"}).encode()
            self.send_response(server.statuses.pop(0) if server.statuses else server.status)
            for name, value in {"Content-Length": str(len(echo)), **server.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(echo)

        def do_GET(self) -> None:
            server.asked.append((self.command, self.path, None))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gave up waiting is part of the play."""

    httpd = Quiet(("127.0.0.1", 0), Handler)
    server.address = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sink is left behind because this machine is busy: a test of that sets the seconds itself."""
    defaults = Alerts.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "seconds", 300.0)


@dataclass
class Recorder:
    """A sink that remembers, and fails as it is told."""

    kind: str = "recorder"
    problem: str = ""
    raises: bool = False
    waits: threading.Event | None = None
    told: list[tuple[Alert, int]] = field(default_factory=list)

    def send(self, alert: Alert, repeated: int) -> str:
        self.told.append((alert, repeated))
        if self.waits is not None:
            self.waits.wait(60)
        if self.raises:
            raise RuntimeError("s3cr3t")
        return self.problem


@dataclass
class Moment:
    """Seconds that only the test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class TestWebhook:
    def test_the_document(self) -> None:
        with serve(Server(status=204)) as server:
            assert Webhook(server.address + PATH, "shop").send(ALERT, 3) == ""
        ((method, path, document),) = server.asked
        assert (method, path) == ("POST", PATH)
        assert document == {
            "schema": "aegis.alert/v1",
            "event": "model.refused",
            "service": "shop",
            "model": "fraud",
            "version": "1.2.0",
            "reason": "verify.wrong_signature",
            "message": "the signature is not valid",
            "digest": "ab" * 32,
            "correlation_id": "018f-1",
            "time": "2026-11-25T12:00:00+00:00",
            "repeated": 3,
        }

    @pytest.mark.parametrize("status", [400, 401, 404, 410])
    def test_a_refusal_is_told_by_its_status_alone(self, status: int) -> None:
        with serve(Server(status=status)) as server:
            problem = Webhook(server.address + PATH).send(ALERT, 0)
        assert problem == f"status {status}"
        assert len(server.asked) == 1

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_not_followed(self, status: int) -> None:
        with serve(Server()) as elsewhere, serve(Server(status=status)) as server:
            server.headers = {"Location": elsewhere.address}
            problem = Webhook(server.address + PATH).send(ALERT, 0)
        assert problem == f"status {status}, a redirect, which is not followed"
        assert elsewhere.asked == []

    def test_a_server_in_trouble_is_asked_again(self) -> None:
        with serve(Server(statuses=[503])) as server:
            assert Webhook(server.address + PATH).send(ALERT, 0) == ""
        assert len(server.asked) == 2

    def test_nobody_there(self) -> None:
        problem = Webhook(f"http://127.0.0.1:1{PATH}").send(ALERT, 0)
        assert problem.startswith("no answer (ConnectionRefusedError")
        assert "s3cr3t" not in problem

    def test_no_secret_in_a_log_a_failure_or_a_representation(self, caplog: pytest.LogCaptureFixture) -> None:
        with serve(Server(status=404)) as server, caplog.at_level(logging.DEBUG):
            sink = Webhook(server.address + PATH)
            failures = Alerts([sink]).send(ALERT)
        assert [failure.sink for failure in failures] == ["webhook"]
        for text in (caplog.text, repr(failures), repr(sink)):
            assert "s3cr3t" not in text
        assert "status 404" in caplog.text


class TestAlertmanager:
    def test_the_document(self) -> None:
        with serve(Server()) as server:
            assert Alertmanager(server.address + "/am/", "shop").send(ALERT, 2) == ""
        ((_, path, document),) = server.asked
        assert path == "/am/api/v2/alerts"
        (alert,) = document
        assert alert["labels"] == {
            "alertname": "AegisModelRefused",
            "severity": "critical",
            "service": "shop",
            "model": "fraud",
            "version": "1.2.0",
            "reason": "verify.wrong_signature",
        }
        assert alert["annotations"]["description"] == "the signature is not valid"
        assert alert["annotations"]["repeated"] == "2"
        assert alert["startsAt"] == "2026-11-25T12:00:00.000000Z"
        assert alert["endsAt"] == "2026-11-25T12:15:00.000000Z"

    def test_it_outlasts_the_time_in_which_the_same_is_not_told(self) -> None:
        assert timedelta(seconds=QUIET) < LASTS

    def test_a_label_without_a_value_is_left_out(self) -> None:
        with serve(Server()) as server:
            Alertmanager(server.address).send(replace(ALERT, version=None), 0)
        assert set(server.asked[0][2][0]["labels"]) == {"alertname", "severity", "model", "reason"}


class TestIssue:
    @pytest.fixture
    def service(self) -> Iterator[GitHub]:
        with github_double.serve(GitHub(issues=Issues(now=NOW))) as running:
            yield running

    def sink(self, service: GitHub, **changes: Any) -> Issue:
        return Issue(**{"repository": "octo/widgets", "token": TOKEN, "service": "shop", "api": service.api, **changes})

    def test_the_first_opens_one(self, service: GitHub) -> None:
        assert self.sink(service).send(ALERT, 0) == ""
        (issue,) = service.issues.every
        assert issue["title"] == "Model fraud was refused: verify.wrong_signature"
        assert issue["labels"] == [{"name": LABEL}]
        assert "message: the signature is not valid" in issue["body"]

    def test_a_moment_later_nothing_is_added(self, service: GitHub) -> None:
        self.sink(service).send(ALERT, 0)
        assert self.sink(service).send(replace(ALERT, time=NOW + timedelta(hours=5)), 9) == ""
        assert (len(service.issues.every), service.issues.comments) == (1, {})

    def test_hours_later_there_is_a_comment_instead_of_a_second_one(self, service: GitHub) -> None:
        self.sink(service).send(ALERT, 0)
        assert self.sink(service).send(replace(ALERT, time=NOW + timedelta(hours=7)), 9) == ""
        assert len(service.issues.every) == 1
        assert "held back since: 9" in service.issues.comments[1][0]

    def test_a_closed_one_is_not_revived(self, service: GitHub) -> None:
        self.sink(service).send(ALERT, 0)
        service.issues.every[0]["state"] = "closed"
        self.sink(service).send(ALERT, 0)
        assert len(service.issues.every) == 2

    @pytest.mark.parametrize(
        "other",
        [replace(ALERT, model="other"), replace(ALERT, reason="verify.store_failed")],
        ids=["another model", "another reason"],
    )
    def test_another_alert_is_another_issue(self, service: GitHub, other: Alert) -> None:
        self.sink(service).send(ALERT, 0)
        self.sink(service).send(other, 0)
        assert len(service.issues.every) == 2

    def test_another_version_is_the_same(self, service: GitHub) -> None:
        self.sink(service).send(ALERT, 0)
        self.sink(service).send(replace(ALERT, version="1.3.0"), 0)
        assert len(service.issues.every) == 1

    def test_it_is_found_on_a_later_page(self, service: GitHub) -> None:
        self.sink(service).send(ALERT, 0)
        for number in range(120):
            service.issues.add(f"other {number}", "", labels=(LABEL,))
        self.sink(service).send(ALERT, 0)
        assert len(service.issues.every) == 121

    def test_an_issue_of_a_stranger_keeps_nothing_quiet(self, service: GitHub) -> None:
        self.sink(service).send(ALERT, 0)
        body = service.issues.every.pop()["body"]
        service.issues.add("mine", body)  # no label: he may not set one
        service.issues.add("a pull request", body, labels=(LABEL,), pull_request=True)
        self.sink(service).send(ALERT, 0)
        assert [issue["title"] for issue in service.issues.every][2].startswith("Model fraud")

    def test_a_token_that_may_not_set_labels_is_told(self, service: GitHub) -> None:
        service.issues.may_label = False
        assert "may not set the label" in self.sink(service).send(ALERT, 0)

    @pytest.mark.parametrize(
        ("script", "problem"),
        [({"may_write": False}, "status 403"), ({"turned_off": True}, "status 410")],
        ids=["may not write", "issues are off"],
    )
    def test_a_repository_that_takes_none(self, service: GitHub, script: dict[str, bool], problem: str) -> None:
        for name, value in script.items():
            setattr(service.issues, name, value)
        assert self.sink(service).send(ALERT, 0) == problem

    def test_a_wrong_token_and_a_wrong_repository(self, service: GitHub) -> None:
        assert self.sink(service, token="ghs_x").send(ALERT, 0) == "status 401"
        assert self.sink(service, repository="octo/nothing").send(ALERT, 0) == "status 404"

    def test_a_creation_is_not_tried_again_since_it_may_have_been_done(self, service: GitHub) -> None:
        sink = self.sink(service)
        service.issues.add("so that the list is asked for first", "", labels=(LABEL,))
        service.faults = []
        assert sink.send(ALERT, 0) == ""
        service.requests.clear()
        service.issues.every.clear()
        service.faults = [github_double.Fault(200, raw=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")]
        service.faults.append(github_double.Fault(502))
        assert sink.send(ALERT, 0) == "status 502"
        assert [line.partition(" ")[0] for line in service.requests] == ["GET", "POST"]

    @pytest.mark.parametrize(
        "body", [b"{}", b"[1]", b"<html>", b'[{"number":"1"}]'], ids=["object", "number", "html", "text"]
    )
    def test_an_answer_that_is_no_list(self, service: GitHub, body: bytes) -> None:
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        service.faults = [github_double.Fault(200, raw=raw)]
        assert self.sink(service).send(ALERT, 0) == "an answer that is no list of issues"

    def test_a_redirect_takes_the_token_nowhere(self, service: GitHub) -> None:
        with serve(Server()) as elsewhere:
            service.faults = [github_double.Fault(301, headers={"Location": elsewhere.address})]
            problem = self.sink(service).send(ALERT, 0)
        assert problem == "status 301, a redirect, which is not followed"
        assert elsewhere.asked == []

    def test_no_token_in_a_failure_or_a_representation(self, service: GitHub) -> None:
        service.faults = [github_double.Fault(400, message=f"no: {TOKEN}")]
        sink = self.sink(service)
        assert TOKEN not in sink.send(ALERT, 0)
        assert TOKEN not in repr(sink)


HOSTILE = "@octo/admins ``` <!-- --> [x](https://evil.example) ![](https://evil.example/p.png)\n# big\x1b[31m"


class TestTexts:
    def test_a_hostile_text_stands_inside_of_the_block(self) -> None:
        text = _text(replace(ALERT, message=HOSTILE, model="a````b"), 0, "shop")
        before, fence, rest = text.partition("`````text\n")
        assert fence
        block, end, after = rest.partition("\n`````")
        assert "@octo/admins" in block
        assert (end, after) == ("\n`````", "")
        assert "@" not in before
        assert "\x1b" not in text
        assert "\n# big" not in text

    @settings(max_examples=200, deadline=None)
    @given(st.text(alphabet="`~\n\r a", max_size=60), st.text(alphabet="`\n<", max_size=30))
    def test_no_text_closes_the_block(self, message: str, version: str) -> None:
        text = _text(replace(ALERT, message=message, version=version), 0, "shop")
        lines = text.splitlines()
        fence = lines[-1]
        assert set(fence) == {"`"}
        opening = lines.index(f"{fence}text")
        # CommonMark 4.5: a closing fence is a line of at least as many backticks and nothing else
        assert not [
            each for each in lines[opening + 1 : -1] if set(each.strip()) == {"`"} and len(each.strip()) >= len(fence)
        ]

    def test_a_long_text_is_cut(self) -> None:
        with serve(Server()) as server:
            Webhook(server.address).send(replace(ALERT, message="x" * 100_000), 0)
        assert len(server.asked[0][2]["message"]) == MAX_TEXT


class TestStorm:
    def test_the_same_is_told_once_and_then_with_what_was_held_back(self) -> None:
        sink, moment = Recorder(), Moment()
        alerts = Alerts([sink], now=moment)
        for _ in range(1000):
            assert alerts.send(ALERT) == ()
        assert len(sink.told) == 1
        moment.now += QUIET
        alerts.send(ALERT)
        assert [repeated for _, repeated in sink.told] == [0, 999]

    def test_many_threads_tell_it_once(self) -> None:
        sink = Recorder()
        alerts = Alerts([sink])
        threads = [threading.Thread(target=alerts.send, args=(ALERT,)) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(sink.told) == 1

    def test_another_reason_is_told_at_once(self) -> None:
        sink = Recorder()
        alerts = Alerts([sink])
        alerts.send(ALERT)
        alerts.send(replace(ALERT, reason="verify.store_failed"))
        assert len(sink.told) == 2

    def test_different_ones_have_a_bound_too(self) -> None:
        sink, moment = Recorder(), Moment()
        alerts = Alerts([sink], now=moment)
        for number in range(10 * MAX_TOLD):
            alerts.send(replace(ALERT, model=f"m{number}"))
        assert len(sink.told) == MAX_TOLD
        moment.now += QUIET
        alerts.send(replace(ALERT, model=f"m{10 * MAX_TOLD - 1}"))
        assert sink.told[-1][1] == 1

    def test_what_is_remembered_has_a_bound(self) -> None:
        alerts = Alerts([Recorder()], now=Moment())
        for number in range(100 * MAX_TOLD):
            alerts.send(replace(ALERT, model=f"m{number}"))
        assert len(alerts._told) <= 10 * MAX_TOLD

    def test_what_failed_is_tried_again_sooner(self) -> None:
        sink, moment = Recorder(problem="down"), Moment()
        alerts = Alerts([sink], now=moment)
        assert alerts.send(ALERT)
        assert alerts.send(ALERT) == ()
        moment.now += AGAIN
        assert alerts.send(ALERT)
        assert len(sink.told) == 2


class TestFailing:
    def test_one_that_breaks_off_keeps_no_other_from_hearing(self, caplog: pytest.LogCaptureFixture) -> None:
        counted: list[str] = []
        broken, good = Recorder("webhook", raises=True), Recorder("issue")
        failures = Alerts([broken, good], failed=counted.append).send(ALERT)
        assert [(failure.sink, failure.problem) for failure in failures] == [("webhook", "it broke off (RuntimeError)")]
        assert len(good.told) == 1
        assert counted == ["webhook"]
        assert "s3cr3t" not in caplog.text

    def test_one_that_hangs_is_left_behind(self) -> None:
        ended = threading.Event()
        hangs = Recorder("webhook", waits=ended)
        try:
            for seconds in (0.1, 1, 20):  # a busy machine may need longer for the good one
                good = Recorder("issue")
                failures = Alerts([hangs, good], seconds=seconds).send(ALERT)
                if len(failures) == 1:
                    break
        finally:
            ended.set()
        assert [(each.sink, each.problem) for each in failures] == [("webhook", f"no answer within {seconds:g} s")]
        assert len(good.told) == 1

    def test_all_are_told_at_once(self) -> None:
        together = threading.Barrier(5)

        class Waits(Recorder):
            def send(self, alert: Alert, repeated: int) -> str:
                together.wait(60)  # goes on when all five are here
                return ""

        assert Alerts([Waits() for _ in range(5)]).send(ALERT) == ()

    def test_a_counter_that_fails_changes_nothing(self) -> None:
        def broken(kind: str) -> None:
            raise OSError("disk")

        assert len(Alerts([Recorder(problem="down")], failed=broken).send(ALERT)) == 1

    def test_a_server_that_is_silent(self) -> None:
        with serve(Server(silence=30)) as server:
            (failure,) = Alerts([Webhook(server.address + PATH, timeout=30)], seconds=0.2).send(ALERT)
        assert failure.problem == "no answer within 0.2 s"

    def test_without_sinks_there_is_nothing_to_do(self) -> None:
        assert Alerts([]).send(ALERT) == ()


class TestSettings:
    def test_none(self) -> None:
        assert alerts_of(Settings.from_environment({})).send(ALERT) == ()

    def test_all_of_them(self) -> None:
        with serve(Server()) as server:
            environ = {
                "AEGIS_ALERT_WEBHOOK": server.address + PATH,
                "AEGIS_ALERTMANAGER": server.address,
                "AEGIS_SERVICE": "shop",
            }
            assert alerts_of(Settings.from_environment(environ)).send(ALERT) == ()
        assert {path for _, path, _ in server.asked} == {PATH, "/api/v2/alerts"}
        assert "shop" in json.dumps(server.asked)

    @pytest.mark.parametrize(
        "environ",
        [
            {"AEGIS_ALERT_WEBHOOK": "http://hooks.example/s3cr3t"},
            {"AEGIS_ALERT_WEBHOOK": "ftp://hooks.example/s3cr3t"},
            {"AEGIS_ALERT_WEBHOOK": "https://user:s3cr3t@hooks.example/"},
            {"AEGIS_ALERTMANAGER": "https://user:s3cr3t@alertmanager"},
            {"AEGIS_ALERTMANAGER": "alertmanager:9093"},
            {"AEGIS_ALERTMANAGER": "http://alertmanager:port"},
            {"AEGIS_ALERTMANAGER": "http://alertmanager/?x=1"},
            {"AEGIS_ALERT_REPOSITORY": "octo/widgets"},
            {"AEGIS_ALERT_REPOSITORY": "octo/widgets", "AEGIS_ALERT_TOKEN": "s3cr3t\n"},
            {"AEGIS_ALERT_REPOSITORY": "octo/../x", "AEGIS_ALERT_TOKEN": "s3cr3t"},
            {"AEGIS_ALERT_REPOSITORY": "octo", "AEGIS_ALERT_TOKEN": "s3cr3t"},
        ],
        ids=lambda environ: "-".join(f"{value}"[:30] for value in environ.values()).replace("\n", " "),
    )
    def test_what_is_not_usable_is_refused_without_being_shown(self, environ: dict[str, str]) -> None:
        with pytest.raises(UsageError) as caught:
            alerts_of(Settings.from_environment(environ))
        assert caught.value.code == "runtime.setting_invalid"
        assert "s3cr3t" not in str(caught.value)

    def test_an_alertmanager_of_the_cluster_may_speak_plain_http(self) -> None:
        assert alerts_of(Settings.from_environment({"AEGIS_ALERTMANAGER": "http://alertmanager.monitoring.svc:9093"}))
