"""A Prometheus, or a store that answers as one does: raw samples over its HTTP API.

https://prometheus.io/docs/prometheus/latest/querying/api/. An instant query of a range selector gives the samples as
they were scraped, without staleness markers and without interpolation.
"""

from __future__ import annotations

import datetime
import math
import re
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aegis.adapters.aws.signature import signed_headers, target
from aegis.adapters.http.call import Answer, Clock, call, is_safe
from aegis.adapters.kubernetes.api import Cluster, cluster_of
from aegis.adapters.kubernetes.proxy import ServiceProxy
from aegis.adapters.prometheus.faults import (
    malformed,
    no_token,
    not_counters,
    not_whole,
    refused,
    too_large,
    unavailable,
    wrong_query,
)
from aegis.core.errors import Refused, UsageError
from aegis.core.policy import Prometheus
from aegis.core.ports.credentials import AwsCredentialSource
from aegis.core.ports.metrics import Series
from aegis.signatures import strict_json

TIMEOUT: Final = 15.0
"""Seconds for one answer; a Prometheus gives 6,000 series in less than one."""
MAX_ANSWER: Final = 64 << 20
"""Bytes: 20,000 series with 60 samples each have about 40 MB."""
MAX_SERIES: Final = 20_000
_VALUE: Final = re.compile(r"NaN|[+-]Inf|-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
"""A number as Go's strconv writes it."""
_TOKEN: Final = re.compile(r"[!-~]{1,16384}")
_SLACK: Final = 1.0
"""Seconds around the window that was asked for: stores may round it to their own resolution."""


Through = Callable[[str, Mapping[str, str], int], tuple[str, Answer | None]]
"""GET of a path with its query and some headers, of whose body so many bytes are read: what `http.call.call` gives."""


@dataclass(frozen=True, slots=True)
class Sigv4:
    """Requests to Amazon Managed Service for Prometheus are signed."""

    region: str
    credentials: AwsCredentialSource = field(repr=False)


class PrometheusServer:
    """One store of metrics, at one address (`aegis.core.ports.metrics.Metrics`)."""

    def __init__(
        self,
        url: str,
        *,
        bearer: Callable[[], str] | None = None,
        sigv4: Sigv4 | None = None,
        tenant: str | None = None,
        clock: Clock | None = None,
        now: Callable[[], float] = time.time,
        timeout: float = TIMEOUT,
        through: Through | None = None,
    ) -> None:
        """`bearer` gives a token for the next request. `now`: Unix seconds, which a signature names.

        `through`: another way than a request to `url` itself; it brings its own credentials.

        Raises UsageError `canary.prometheus_unsafe` for an address to which the secret must not be sent.
        """
        if (bearer is not None or sigv4 is not None) and not is_safe(url):
            raise UsageError(
                "canary.prometheus_unsafe",
                f"canary.prometheus.url is {url!r}, and requests carry a secret",
                expected="an https address, or http on this very machine",
                remedy="Give Prometheus a certificate, or take bearer-env, bearer-file and sigv4-region out.",
            )
        self._url, self._bearer, self._sigv4, self._tenant = url.rstrip("/"), bearer, sigv4, tenant
        self._clock, self._now, self._timeout = clock or Clock(), now, timeout
        self._through = through

    def __repr__(self) -> str:
        """Without any secret."""
        return f"PrometheusServer({self._url!r})"

    def now(self) -> float:
        """The server's clock, by the query `time()`."""
        data = self._query("time()", None)
        value = data.get("result")
        if data.get("resultType") != "scalar" or not isinstance(value, list) or len(value) != 2:
            raise malformed("the answer to `time()` is no scalar")
        seconds = _value(value[1])
        if not 0 < seconds < math.inf:
            raise malformed(f"its clock says {seconds}")
        return seconds

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        """As the port says."""
        data = self._query(f"{selector}[{window}s]", at)
        result = data.get("result")
        if data.get("resultType") != "matrix" or not isinstance(result, list):
            raise malformed(f"the answer is no matrix but {str(data.get('resultType'))[:40]!r}")
        if len(result) > MAX_SERIES:
            raise too_large(f"{len(result)} series", f"at most {MAX_SERIES} series")
        found: dict[tuple[tuple[str, str], ...], Series] = {}
        for each in result:
            series = _series(each, at - window - _SLACK, at + _SLACK)
            key = tuple(sorted(series.labels.items()))
            if key in found:
                raise malformed(f"the series {_shown(series.labels)} stands twice in one answer")
            found[key] = series
        return tuple(found.values())

    def _query(self, query: str, at: float | None) -> Mapping[str, Any]:
        """The `data` of a successful answer that is whole."""
        # Thanos: no answer rather than one that lacks a store; others ignore it.
        parameters = [("query", query), ("timeout", f"{math.ceil(self._timeout)}s"), ("partial_response", "false")]
        if at is not None:
            parameters.append(("time", f"{at:.3f}"))
        path = target(f"{urlsplit(self._url).path}/api/v1/query", parameters)
        if self._through is not None:
            problem, answer = self._through(path, self._tenant_header(), MAX_ANSWER + 1)
        else:
            request, secrets = self._request(path)
            problem, answer = call(
                request, secrets=secrets, timeout=self._timeout, clock=self._clock, limit=MAX_ANSWER + 1
            )
        if answer is None:
            raise unavailable(self._url, problem)
        return _data(self._url, answer, query)

    def _tenant_header(self) -> dict[str, str]:
        return {} if self._tenant is None else {"X-Scope-OrgID": self._tenant}

    def _request(self, path: str) -> tuple[urllib.request.Request, list[str]]:
        """A request, and what is secret about it."""
        parts = urlsplit(self._url)
        headers = self._tenant_header()
        secrets: list[str] = []
        if self._bearer is not None:
            token = self._bearer()
            secrets.append(token)
            headers["Authorization"] = f"Bearer {token}"
        if self._sigv4 is not None:
            credentials = self._sigv4.credentials()
            secrets += [credentials.secret_key, *([credentials.token] if credentials.token else [])]
            headers = signed_headers(
                "GET",
                path,
                {**headers, "Host": parts.netloc},
                credentials,
                region=self._sigv4.region,
                service="aps",
                now=datetime.datetime.fromtimestamp(self._now(), datetime.UTC),
            )
        # not signed: a proxy may change them
        headers |= {"Accept": "application/json", "User-Agent": "aegis-gates"}
        return urllib.request.Request(f"{parts.scheme}://{parts.netloc}{path}", headers=headers), secrets  # noqa: S310


def server_of(
    policy: Prometheus,
    *,
    environ: Mapping[str, str],
    mask: Callable[[str], None],
    credentials: AwsCredentialSource | None = None,
    cluster: Cluster | None = None,
) -> PrometheusServer:
    """The server that a policy names. `mask` hides a token in the log the moment it is read.

    `credentials`: for `sigv4-region`; `cluster`: whose API server is asked through, that of the surroundings where none
    is given. Raises UsageError `canary.token_missing`, `canary.prometheus_unsafe`; where it is
    asked through the API server, what `cluster_of` raises, and UsageError `canary.service_unclear`.
    """
    if policy.via == "api-server":
        cluster = cluster or cluster_of(environ, timeout=TIMEOUT)
        return PrometheusServer(policy.url, tenant=policy.tenant, through=ServiceProxy(cluster, policy.url).send)
    bearer: Callable[[], str] | None = None
    if policy.bearer_env is not None:
        bearer = partial(_env_token, environ, policy.bearer_env, mask)
    elif policy.bearer_file is not None:
        bearer = partial(_file_token, Path(policy.bearer_file), mask)
    sigv4 = None
    if policy.sigv4_region is not None:
        if credentials is None:
            raise no_token("there are no credentials of AWS, and canary.prometheus.sigv4-region is set")
        sigv4 = Sigv4(policy.sigv4_region, credentials)
    if bearer is not None:
        bearer()  # a token that is missing is told before the first look
    return PrometheusServer(policy.url, bearer=bearer, sigv4=sigv4, tenant=policy.tenant)


def _env_token(environ: Mapping[str, str], name: str, mask: Callable[[str], None]) -> str:
    return _token(environ.get(name, ""), f"the environment variable {name}", mask)


def _file_token(file: Path, mask: Callable[[str], None]) -> str:
    try:
        text = file.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        text = ""
    return _token(text, f"the file {str(file)!r}", mask)


def _token(text: str, where: str, mask: Callable[[str], None]) -> str:
    token = text.strip()
    if _TOKEN.fullmatch(token) is None:
        raise no_token(f"{where} holds no token")
    mask(token)
    return token


def _data(url: str, answer: Answer, query: str) -> Mapping[str, Any]:
    if answer.status in {401, 403}:
        raise refused(url, answer.status)
    if len(answer.body) > MAX_ANSWER:
        raise too_large(f"more than {MAX_ANSWER} bytes", f"at most {MAX_ANSWER} bytes")
    document = _document(answer)
    if document is None or answer.status not in {200, 400, 422}:
        if answer.status == 200:
            raise malformed("the answer is not whole, or not JSON")
        raise unavailable(url, f"HTTP {answer.status}")
    if document.get("status") != "success" or answer.status != 200:
        kind, said = str(document.get("errorType"))[:40], str(document.get("error"))[:300]
        if kind in {"bad_data", "execution"}:
            raise wrong_query(query, f"{kind}: {said}")
        raise unavailable(url, f"HTTP {answer.status}, {kind}: {said}")
    warnings = document.get("warnings")
    # `isPartial`: VictoriaMetrics
    if warnings or document.get("isPartial"):
        raise not_whole(str(warnings[0] if isinstance(warnings, list) and warnings else "isPartial")[:300])
    data = document.get("data")
    if not isinstance(data, dict):
        raise malformed("the answer has no data")
    return data


def _document(answer: Answer) -> dict[str, Any] | None:
    try:
        value = strict_json.parse(answer.body, what="the answer", limit=MAX_ANSWER)
    except Refused:
        return None
    return value if isinstance(value, dict) else None


def _series(value: Any, earliest: float, latest: float) -> Series:
    labels = value.get("metric") if isinstance(value, dict) else None
    if not isinstance(labels, dict) or not all(isinstance(each, str) for each in labels.values()):
        raise malformed("a series has no labels")
    if "histograms" in value:
        raise not_counters(_shown(labels))
    pairs = value.get("values")
    if not isinstance(pairs, list) or not pairs:
        raise malformed(f"the series {_shown(labels)} has no samples")
    samples = []
    before = earliest
    for pair in pairs:
        if (
            not isinstance(pair, list)
            or len(pair) != 2
            or isinstance(pair[0], bool)
            or not isinstance(pair[0], int | float)
        ):
            raise malformed(f"the series {_shown(labels)} has a sample that is no pair of time and value")
        seconds = float(pair[0])
        if not before < seconds <= latest:
            raise malformed(f"the series {_shown(labels)} has the time {seconds:.3f} out of order or of what was asked")
        before = seconds
        samples.append((seconds, _value(pair[1])))
    return Series(labels, tuple(samples))


def _value(text: Any) -> float:
    if not isinstance(text, str) or _VALUE.fullmatch(text) is None:
        raise malformed(f"a value is {str(text)[:40]!r}")
    return float(text)


def _shown(labels: Mapping[str, str]) -> str:
    rest = ", ".join(f'{name}="{labels[name]}"' for name in sorted(labels) if name != "__name__")
    return f"{labels.get('__name__', '')}{{{rest}}}"[:300]
