"""What is asked of a Prometheus, what of its answers is taken, and whom a secret is shown to."""

from __future__ import annotations

import datetime
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from aegis.adapters.http.call import Answer
from aegis.adapters.prometheus import server as prometheus
from aegis.adapters.prometheus.server import PrometheusServer, Sigv4, server_of
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.core.policy import Prometheus
from aegis.core.ports.credentials import AwsCredentials
from aegis.core.ports.metrics import Series
from tests.doubles.prometheus_api import Api, Asked, always, serve

T0 = 1_700_000_000.0
TOKEN = "s3cr3t-t0k3n"
ONE = {"metric": {"__name__": "a", "pod": "p"}, "values": [[T0 - 10, "1"], [T0, "2.5e+06"]]}


def answered(result: Any, *, kind: str = "matrix", **more: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()


@pytest.fixture
def api() -> Iterator[Api]:
    with serve(Api(always(answered([])))) as served:
        yield served


def told(api: Api, **options: Any) -> tuple[Series, ...]:
    return PrometheusServer(api.url, **options).samples('a{b="c"}', 60, T0)


def refused(api: Api, body: bytes, status: int = 200, **options: Any) -> AegisError:
    api.answer = always(body, status)
    with pytest.raises(CouldNotDecide) as raised:
        told(api, **options)
    return raised.value


def test_raw_samples_are_read(api: Api) -> None:
    api.answer = always(answered([ONE], infos=["a hint"], warnings=[]))
    (series,) = told(api)
    assert series == Series({"__name__": "a", "pod": "p"}, ((T0 - 10, 1.0), (T0, 2.5e6)))
    assert api.asked[0].path == "/api/v1/query"
    assert api.asked[0].parameters == {
        "query": 'a{b="c"}[60s]', "time": "1700000000.000", "timeout": "15s", "partial_response": "false"
    }  # fmt: skip


def test_a_path_before_the_api_is_kept(api: Api) -> None:
    PrometheusServer(f"{api.url}/select/0/prometheus/").samples("a{}", 60, T0)
    assert api.asked[0].path == "/select/0/prometheus/api/v1/query"


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf", "-1", "0.5", "1e-07"])
def test_every_value_that_prometheus_writes_is_read(api: Api, text: str) -> None:
    api.answer = always(answered([ONE | {"values": [[T0, text]]}]))
    assert repr(told(api)[0].samples[0][1]) == repr(float(text))


def test_the_clock_is_the_servers(api: Api) -> None:
    api.answer = always(answered([T0 + 0.123, "1700000000.123"], kind="scalar"))
    assert PrometheusServer(api.url).now() == T0 + 0.123
    assert api.asked[0].parameters["query"] == "time()"
    assert "time" not in api.asked[0].parameters


@pytest.mark.parametrize(
    "body",
    [
        answered([]),
        answered([T0], kind="scalar"),
        answered([T0, "NaN"], kind="scalar"),
        answered([T0, "+Inf"], kind="scalar"),
        answered([T0, "-1"], kind="scalar"),
        answered([T0, 1.0], kind="scalar"),
    ],
)
def test_a_clock_that_is_none_is_refused(api: Api, body: bytes) -> None:
    api.answer = always(body)
    with pytest.raises(CouldNotDecide) as raised:
        PrometheusServer(api.url).now()
    assert raised.value.code == "canary.answer_malformed"


def sample(*values: Any) -> bytes:
    return answered([ONE | {"values": list(values)}])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sign in</html>",
        b"[]",
        b"\xff",
        b'{"status":"success","data":{"resultType":"matrix","result":[]}',
        b'{"status":"success","status":"success","data":{"resultType":"matrix","result":[]}}',
        answered([])[:-1] + b',"data":null}',
        json.dumps({"status": "success"}).encode(),
        json.dumps({"status": "success", "data": []}).encode(),
        answered([], kind="vector"),
        answered({}),
        answered([1]),
        answered([{"values": [[T0, "1"]]}]),
        answered([{"metric": {"a": 1}, "values": [[T0, "1"]]}]),
        answered([{"metric": {}}]),
        sample(),
        sample([T0]),
        sample([T0, "1", "2"]),
        sample([str(T0), "1"]),
        sample([True, "1"]),
        sample([T0, 1]),
        sample([T0, "1_0"]),
        sample([T0, " 1"]),
        sample([T0, "nan"]),
        sample([T0, "Infinity"]),
        sample([T0, "0x1p-2"]),
        sample([T0, "\uff11"]),
        sample([T0, "1"], [T0, "1"]),
        sample([T0, "1"], [T0 - 1, "1"]),
        sample([T0 - 70, "1"]),
        sample([T0 + 5, "1"]),
        answered([ONE, ONE]),
        answered([ONE | {"values": [[1e999, "1"]]}]).replace(b"Infinity", b"1e999"),
    ],
    ids=lambda body: body[-60:].decode("ascii", "replace"),
)
def test_what_is_no_answer_of_the_api_is_refused(api: Api, body: bytes) -> None:
    assert refused(api, body).code == "canary.answer_malformed"


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["NaN", T0, "matrix"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


def replaced(value: Any, chance: Callable[[int], int], by: Any) -> Any:
    """The document with something in it replaced."""
    inside = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    if not inside or chance(3) == 0:
        return by
    key, child = inside[chance(len(inside))]
    return type(value)(
        {**value, key: replaced(child, chance, by)}
        if isinstance(value, dict)
        else [replaced(child, chance, by) if number == key else each for number, each in enumerate(value)]
    )


@given(st.randoms(use_true_random=False), ANYTHING)
def test_whatever_a_server_says_there_is_an_answer_or_a_reason(chance: Random, by: Any) -> None:
    document = replaced(json.loads(answered([ONE], warnings=[], infos=[])), chance.randrange, by)
    answer = Answer(200, "", json.dumps(document).encode())
    with patch.object(prometheus, "call", lambda *_, **__: ("", answer)):
        try:
            series = PrometheusServer("https://p.example.com").samples("a{}", 60, T0)
        except CouldNotDecide:
            return
    assert all(T0 - 61 < time <= T0 + 1 for each in series for time, _ in each.samples)


def test_an_answer_that_ends_early_is_refused(api: Api) -> None:
    api.answer = lambda _: (200, answered([ONE])[:50], {"Content-Length": "1000"})
    with pytest.raises(CouldNotDecide) as raised:
        told(api)
    assert raised.value.code == "canary.answer_malformed"


def test_a_native_histogram_is_refused_with_a_reason(api: Api) -> None:
    native = {"metric": {"__name__": "seconds"}, "histograms": [[T0, {"count": "1", "sum": "1", "buckets": []}]]}
    error = refused(api, answered([native]))
    assert error.code == "canary.histogram_native"
    assert "seconds{}" in error.problem


@pytest.mark.parametrize("more", [{"warnings": ["store x: timeout"]}, {"isPartial": True}])
def test_a_part_of_the_data_is_refused(api: Api, more: dict[str, Any]) -> None:
    assert refused(api, answered([ONE], **more)).code == "canary.answer_partial"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "bad_data", "canary.query_refused"),
        (422, "execution", "canary.query_refused"),
        (422, "timeout", "canary.prometheus_unavailable"),
        (503, "timeout", "canary.prometheus_unavailable"),
        (500, "internal", "canary.prometheus_unavailable"),
        (200, "internal", "canary.prometheus_unavailable"),
    ],
)
def test_an_error_says_whose_it_is(api: Api, status: int, kind: str, code: str) -> None:
    body = json.dumps({"status": "error", "errorType": kind, "error": "because"}).encode()
    error = refused(api, body, status)
    assert error.code == code
    assert ("because" in error.problem) == (status != 503 and status != 500)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "canary.prometheus_refused"),
        (403, "canary.prometheus_refused"),
        (404, "canary.prometheus_unavailable"),
        (429, "canary.prometheus_unavailable"),
        (502, "canary.prometheus_unavailable"),
    ],
)
def test_a_status_without_an_answer_says_what_to_do(api: Api, status: int, code: str) -> None:
    error = refused(api, b"no", status)
    assert error.code == code
    assert str(status) in error.problem


def test_a_redirect_is_not_followed(api: Api) -> None:
    with serve(Api(always(answered([ONE])))) as elsewhere:
        api.answer = always(b"", 302, Location=f"{elsewhere.url}/api/v1/query")
        with pytest.raises(CouldNotDecide) as raised:
            told(api, bearer=lambda: TOKEN)
        assert raised.value.code == "canary.prometheus_unavailable"
        assert elsewhere.asked == []


def test_nobody_there_is_told() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        server = PrometheusServer(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(CouldNotDecide) as raised:
            server.now()
    assert raised.value.code == "canary.prometheus_unavailable"


def test_an_answer_without_an_end_is_left(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MAX_ANSWER", 1000)
    assert refused(api, b" " * 1001).code == "canary.answer_too_large"
    assert refused(api, b" " * 1000).code == "canary.answer_malformed"


def test_more_series_than_a_look_may_read_are_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MAX_SERIES", 1)
    series = [ONE | {"metric": {"a": str(number)}} for number in range(2)]
    assert refused(api, answered(series)).code == "canary.answer_too_large"


class TestSecrets:
    def test_a_token_and_a_tenant_are_sent(self, api: Api) -> None:
        told(api, bearer=lambda: TOKEN, tenant="team-a")
        assert api.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert api.asked[0].headers["x-scope-orgid"] == "team-a"

    def test_an_error_does_not_repeat_a_token(self, api: Api) -> None:
        body = json.dumps({"status": "error", "errorType": "bad_data", "error": f"what is {TOKEN}?"}).encode()
        error = refused(api, body, 400, bearer=lambda: TOKEN)
        assert "what is ***?" in error.problem
        assert TOKEN not in str(error)
        assert TOKEN not in repr(PrometheusServer(api.url, bearer=lambda: TOKEN))

    @pytest.mark.parametrize(
        "url", ["http://prometheus.monitoring.svc:9090", "http://p.example.com", "https://u@p.example"]
    )
    def test_a_secret_goes_nowhere_in_the_clear(self, url: str) -> None:
        for options in ({"bearer": lambda: TOKEN}, {"sigv4": Sigv4("eu-west-1", lambda: AwsCredentials("a", "b"))}):
            with pytest.raises(UsageError) as raised:
                PrometheusServer(url, **options)
            assert raised.value.code == "canary.prometheus_unsafe"
        PrometheusServer(url)

    @pytest.mark.parametrize("session", [None, "a-session"])
    def test_requests_to_amazon_are_signed_as_its_own_library_does(self, api: Api, session: str | None) -> None:
        now = datetime.datetime(2026, 11, 26, 2, 0, tzinfo=datetime.UTC)
        own = AwsCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI", session)
        server = PrometheusServer(
            f"{api.url}/workspaces/ws-1", sigv4=Sigv4("eu-west-1", lambda: own), tenant="t", now=now.timestamp
        )
        server.samples('a{b=~"5.."}', 60, T0)
        sent = api.asked[0]
        assert sent.headers["authorization"] == botocores(api.url, sent, own, now)
        assert "wJalrXUtnFEMI" not in repr(server)

    def policy(self, api: Api, **keys: Any) -> Prometheus:
        return structs.replace(Prometheus(url=api.url), **keys)

    def test_a_variables_token_is_hidden_and_sent(self, api: Api) -> None:
        masked: list[str] = []
        policy = self.policy(api, bearer_env="PROMETHEUS_TOKEN", tenant="t")
        server = server_of(policy, environ={"PROMETHEUS_TOKEN": f"{TOKEN}\n"}, mask=masked.append)
        assert masked == [TOKEN]
        server.samples("a{}", 60, T0)
        assert api.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert api.asked[0].headers["x-scope-orgid"] == "t"

    def test_a_files_token_is_read_anew(self, api: Api, tmp_path: Path) -> None:
        file = tmp_path / "token"
        file.write_text("first\n")
        server = server_of(self.policy(api, bearer_file=str(file)), environ={}, mask=lambda _: None)
        server.samples("a{}", 60, T0)
        file.write_text("second\n")
        server.samples("a{}", 60, T0)
        assert [each.headers["authorization"] for each in api.asked] == ["Bearer first", "Bearer second"]

    @pytest.mark.parametrize("text", ["", " ", "two words", "line\nbreak", "ü"])
    @pytest.mark.parametrize("where", ["bearer_env", "bearer_file"])
    def test_what_is_no_token_is_told_before_anything_is_asked(
        self, api: Api, tmp_path: Path, where: str, text: str
    ) -> None:
        (tmp_path / "token").write_text(text)
        value = "PROMETHEUS_TOKEN" if where == "bearer_env" else str(tmp_path / "token")
        with pytest.raises(UsageError) as raised:
            server_of(self.policy(api, **{where: value}), environ={"PROMETHEUS_TOKEN": text}, mask=lambda _: None)
        assert raised.value.code == "canary.token_missing"
        assert text.strip() == "" or text not in str(raised.value)
        assert api.asked == []

    def test_a_token_that_is_not_there_is_told(self, api: Api, tmp_path: Path) -> None:
        for keys in (
            {"bearer_env": "PROMETHEUS_TOKEN"},
            {"bearer_file": str(tmp_path / "no")},
            {"sigv4_region": "x-1"},
        ):
            with pytest.raises(UsageError) as raised:
                server_of(self.policy(api, **keys), environ={}, mask=lambda _: None)
            assert raised.value.code == "canary.token_missing"

    def test_credentials_of_aws_sign(self, api: Api) -> None:
        server = server_of(
            self.policy(api, sigv4_region="eu-west-1"),
            environ={},
            mask=lambda _: None,
            credentials=lambda: AwsCredentials("AKIDEXAMPLE", "secret"),
        )
        server.samples("a{}", 60, T0)
        assert "Credential=AKIDEXAMPLE/" in api.asked[0].headers["authorization"]
        assert "/eu-west-1/aps/aws4_request" in api.asked[0].headers["authorization"]


class Signer(SigV4Auth):  # type: ignore[misc] # botocore has no types
    """At a fixed time, of what was sent."""

    def authorization(self, request: AWSRequest, now: datetime.datetime) -> str:
        request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%SZ")
        self._modify_request_before_signing(request)
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))
        return str(request.headers["Authorization"])


def botocores(url: str, sent: Asked, own: AwsCredentials, now: datetime.datetime) -> str:
    """The header that botocore makes for what was sent."""
    headers = {name: sent.headers[name] for name in ("x-scope-orgid", "x-amz-content-sha256")}
    request = AWSRequest("GET", url + sent.target, headers=headers)
    signer = Signer(Credentials(own.access_key, own.secret_key, own.token), "aps", "eu-west-1")
    return signer.authorization(request, now)
