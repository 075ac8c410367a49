"""One cluster's API server: requests with its credentials, bounded in time and size.

Login and TLS are the official client's; its generated calls are not used, since they read answers without a bound,
follow redirects and choose a patch's content type themselves.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aegis.adapters.http.call import MAX_ANSWER, RETRIED, Answer, Clock, is_loopback, pause_before_next
from aegis.adapters.kubernetes.faults import no_login, unavailable
from aegis.adapters.kubernetes.login import configuration

TIMEOUT: Final = 10.0
"""Seconds to connect, of silence, and for one answer; an API server that is well answers in some milliseconds."""
TRIES: Final = 4
MERGE_PATCH: Final = "application/merge-patch+json"
"""RFC 7396: the only patch besides JSON Patch and server-side apply that custom resources know."""


@dataclass(frozen=True, slots=True)
class _Session:
    """A login and its connections."""

    configuration: Any = field(repr=False)
    pool: Any = field(repr=False)


class Cluster:
    """An API server that knows us."""

    def __init__(self, login: Callable[[], Any], *, clock: Clock | None = None, timeout: float = TIMEOUT) -> None:
        """`login` gives the client's `Configuration`; it is called again when the server no longer knows us."""
        self._login, self._clock, self._timeout = login, clock or Clock(), timeout
        self._session: _Session | None = None

    def __repr__(self) -> str:
        """Without any secret."""
        return "Cluster()"

    @property
    def address(self) -> str:
        """The server's, for people."""
        return str(self._logged_in().configuration.host)

    def read(self, path: str, *, limit: int = MAX_ANSWER) -> Answer:
        """GET, tried again where that may help. Raises CouldNotDecide `canary.cluster_unavailable`, `cluster_login`."""
        for attempt in range(1, TRIES + 1):
            problem, answer = self.try_once("GET", path, limit=limit)
            if answer is not None and answer.status not in RETRIED:
                return answer
            if attempt < TRIES:
                self._clock.sleep(
                    pause_before_next(answer.retry_after if answer else "", attempt, self._clock.jitter())
                )
        raise unavailable(self.address, problem or f"HTTP {answer.status if answer else 0}")

    def write(
        self, method: str, path: str, body: Mapping[str, Any], *, content_type: str = "application/json"
    ) -> Answer:
        """POST or PATCH, once: whether one without an answer was taken is for the caller to look at."""
        headers = {"Content-Type": content_type}
        problem, answer = self.try_once(method, path, body=json.dumps(body).encode(), headers=headers)
        if answer is None:
            raise unavailable(self.address, problem)
        return answer

    def try_once(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = MAX_ANSWER,
    ) -> tuple[str, Answer | None]:
        """The answer, or why there was none. Of its body `limit` bytes are read, and the rest is left.

        A 401 says that nothing was done: one new login, then again.
        """
        problem, answer = self._send(method, path, body, headers or {}, limit)
        if answer is not None and answer.status == 401:
            self._session = None
            problem, answer = self._send(method, path, body, headers or {}, limit)
        return problem, answer

    def _logged_in(self) -> _Session:
        if self._session is None:
            found = self._login()
            if is_loopback(found.host):
                found.proxy = None
            rest = importlib.import_module("kubernetes.client.rest")
            self._session = _Session(found, rest.RESTClientObject(found).pool_manager)
        return self._session

    def _send(
        self, method: str, path: str, body: bytes | None, more: Mapping[str, str], limit: int
    ) -> tuple[str, Answer | None]:
        urllib3 = importlib.import_module("urllib3")
        session = self._logged_in()
        headers = {"Accept": "application/json", "User-Agent": "aegis-gates", **more}
        token = self._authorization(session)
        if token:
            headers["Authorization"] = token
        secrets = [token.partition(" ")[2]] if token else []
        try:
            response = session.pool.request(
                method,
                f"{session.configuration.host}{path}",
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=self._timeout, read=self._timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            return "", self._read(response, secrets, limit)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            text = f"{type(error).__name__}: {error}"
            for secret in secrets:
                text = text.replace(secret, "***")
            return text[:200], None

    def _authorization(self, session: _Session) -> str:
        # a pod's token is read anew from its file here
        try:
            return session.configuration.get_api_key_with_prefix("BearerToken") or ""
        except Exception:
            raise no_login("the pod's service account has no token that can be read") from None

    def _read(self, response: Any, secrets: list[str], limit: int) -> Answer:
        """What came with a status, within limits: neither an endless nor a trickling answer may hold a job."""
        end = self._clock.now() + self._timeout
        read = bytearray()
        try:
            while len(read) < limit and (chunk := response.read1(limit - len(read))):
                read += chunk
                if self._clock.now() >= end:
                    raise TimeoutError(f"the answer was not whole after {self._timeout:.0f} s")
        finally:
            response.close()
        body = bytes(read)
        for secret in secrets:
            body = body.replace(secret.encode(), b"***")
        return Answer(response.status, response.headers.get("Retry-After", ""), body)


def cluster_of(
    environ: Mapping[str, str],
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    text: str | None = None,
    for_programs: Callable[[], Mapping[str, str]] = dict,
    timeout: float = TIMEOUT,
) -> Cluster:
    """The cluster that the surroundings name. Logs in now, so that what is wrong with that is told first.

    `text` and `for_programs` as in `aegis.adapters.kubernetes.login.configuration`.
    """

    def login() -> Any:
        return configuration(environ, kubeconfig=kubeconfig, context=context, text=text, for_programs=for_programs)

    cluster = Cluster(login, timeout=timeout)
    cluster.address  # noqa: B018 - logs in
    return cluster
