"""A Kubernetes API server for custom resources, as strict as the real one where a client could lean on it.

Written from https://kubernetes.io/docs/reference/using-api/api-concepts/,
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#status-subresource and
RFC 7396. It knows Rollouts, SelfSubjectAccessReviews and services behind its proxy, and nothing else.
"""

from __future__ import annotations

import copy
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Document = dict[str, Any]
ROLLOUTS = "/apis/argoproj.io/v1alpha1/namespaces/"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PATCHES = {"application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"}
"""Of custom resources; a strategic merge patch is none of them."""
ALL_RIGHTS = frozenset({"get rollouts", "patch rollouts", "patch rollouts/status", "get services/proxy"})


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    content_type: str
    authorization: str
    body: Document | None
    headers: dict[str, str] = field(default_factory=dict)
    """By their names in lower case."""


@dataclass
class Api:
    """A cluster."""

    users: dict[str, frozenset[str]] = field(default_factory=lambda: {"a-token": ALL_RIGHTS})
    """What who holds a token may do: `patch rollouts/status`; with `@NAMESPACE` there only."""
    rollouts: dict[tuple[str, str], Document] = field(default_factory=dict)
    installed: bool = True
    services: dict[tuple[str, str], Callable[[str], tuple[int, bytes]] | None] = field(default_factory=dict)
    """By namespace and name as in the path; None: no pod of it is ready."""
    controller: Callable[[Document], None] | None = None
    """Works on a rollout after each answer about it, as a real one does a moment later."""
    before: Callable[[Asked], None] | None = None
    """Called before a request is dealt with, e.g. to let somebody else change a rollout."""
    fault: Callable[[Asked], tuple[int, bytes, dict[str, str]] | str | None] = lambda _: None
    """An answer instead of the right one; `drop`: none, though the request was carried out; `trickle`: no end."""
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    version: int = 100

    def add(self, document: Document) -> Document:
        """Create a rollout."""
        with self.lock:
            self.version += 1
            metadata = document["metadata"]
            metadata |= {"uid": f"uid-{self.version}", "resourceVersion": str(self.version), "generation": 1}
            self.rollouts[metadata["namespace"], metadata["name"]] = document
            return document

    def touch(self, document: Document) -> None:
        """Anybody's write gives an object another version."""
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)

    def change(self, namespace: str, name: str, change: Callable[[Document], None]) -> None:
        """Somebody else changes it: a spec that is another one is another generation."""
        with self.lock:
            document = self.rollouts[namespace, name]
            before = copy.deepcopy(document["spec"])
            change(document)
            if document["spec"] != before:
                document["metadata"]["generation"] += 1
            self.touch(document)

    def patches(self) -> list[Asked]:
        """What was asked for."""
        return [asked for asked in self.asked if asked.method == "PATCH"]

    # ------------------------------------------------------------------------------------------------------------------
    def answer(self, asked: Asked) -> tuple[int, bytes]:
        """What the server says."""
        scheme, _, token = asked.authorization.partition(" ")
        if asked.authorization and (scheme.lower() != "bearer" or token not in self.users):
            return status(401, "Unauthorized", "Unauthorized")
        rights = self.users.get(token, frozenset())
        path = asked.path.partition("?")[0]
        if path == REVIEWS and asked.method == "POST":
            return self._review(asked, rights)
        if path.startswith("/api/v1/namespaces/") and "/services/" in path:
            return self._proxy(asked, rights)
        if not self.installed or not path.startswith(ROLLOUTS):
            return 404, b"404 page not found\n"
        parts = path.removeprefix(ROLLOUTS).split("/")
        if len(parts) not in {3, 4} or parts[1] != "rollouts" or parts[3:] not in ([], ["status"]):
            return 404, b"404 page not found\n"
        return self._rollout(asked, rights, parts[0], parts[2], sub="/status" if parts[3:] else "")

    def _rollout(
        self, asked: Asked, rights: frozenset[str], namespace: str, name: str, *, sub: str
    ) -> tuple[int, bytes]:
        verb = {"GET": "get", "PATCH": "patch"}.get(asked.method)
        if verb is None:
            return status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        if not allowed(rights, f"{verb} rollouts{sub}", namespace):
            return status(
                403,
                "Forbidden",
                f'rollouts.argoproj.io "{name}" is forbidden: User "somebody" cannot {verb} resource "rollouts{sub}" '
                f'in API group "argoproj.io" in the namespace "{namespace}"',
                name,
            )
        document = self.rollouts.get((namespace, name))
        if document is None:
            return status(404, "NotFound", f'rollouts.argoproj.io "{name}" not found', name)
        if verb == "patch":
            refusal = self._patch(asked, document, name, of_status=bool(sub))
            if refusal is not None:
                return refusal
        said = json.dumps(document).encode()
        if self.controller is not None:
            before = copy.deepcopy(document)
            self.controller(document)
            if document != before:
                self.touch(document)
        return 200, said

    def _patch(self, asked: Asked, document: Document, name: str, *, of_status: bool) -> tuple[int, bytes] | None:
        if asked.content_type not in PATCHES:
            return status(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        if asked.content_type != "application/merge-patch+json" or not isinstance(asked.body, dict):
            return status(400, "BadRequest", "error decoding patch")
        wanted = asked.body.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != document["metadata"]["resourceVersion"]:
            return status(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on rollouts.argoproj.io "{name}": the object has been modified; please '
                "apply your changes to the latest version and try again",
                name,
            )
        # the subresource changes nothing but the status, the object itself everything else
        kept = {"status": asked.body.get("status", {})} if of_status else {"spec": asked.body.get("spec", {})}
        result = merged(document, kept)
        wrong = invalid(result.get("status") or {})
        if wrong:
            return status(422, "Invalid", f'Rollout.argoproj.io "{name}" is invalid: {wrong}', name)
        if result != document:
            if result["spec"] != document["spec"]:
                result["metadata"]["generation"] += 1
            document.clear()
            document.update(result)
            self.touch(document)
        return None

    def _review(self, asked: Asked, rights: frozenset[str]) -> tuple[int, bytes]:
        body = asked.body or {}
        if asked.content_type != "application/json":
            return status(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        attributes = body.get("spec", {}).get("resourceAttributes")
        if body.get("kind") != "SelfSubjectAccessReview" or not isinstance(attributes, dict):
            return status(422, "Invalid", "spec.resourceAttributes: Invalid value")
        groups = {"rollouts": "argoproj.io", "services": ""}
        resource = "/".join(filter(None, (attributes["resource"], attributes.get("subresource", ""))))
        yes = groups.get(attributes["resource"]) == attributes.get("group", "") and allowed(
            rights, f"{attributes['verb']} {resource}", attributes.get("namespace", "")
        )
        return 201, json.dumps({**body, "status": {"allowed": yes}}).encode()

    def _proxy(self, asked: Asked, rights: frozenset[str]) -> tuple[int, bytes]:
        namespace, _, rest = asked.path.removeprefix("/api/v1/namespaces/").partition("/services/")
        service, _, path = rest.partition("/proxy")
        if not allowed(rights, "get services/proxy", namespace):
            return status(403, "Forbidden", f'services "{service}" is forbidden', service)
        if (namespace, service) not in self.services:
            name = service.split(":")[1] if ":" in service else service
            return status(404, "NotFound", f'services "{name}" not found', name)
        answer = self.services[namespace, service]
        if answer is None:
            return status(503, "ServiceUnavailable", f'no endpoints available for service "{service}"', service)
        return answer(path)


def allowed(rights: frozenset[str], right: str, namespace: str) -> bool:
    return right in rights or f"{right}@{namespace}" in rights


def status(code: int, reason: str, message: str, name: str = "") -> tuple[int, bytes]:
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/"""
    details = {"details": {"name": name, "kind": "rollouts"}} if name else {}
    document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return code, json.dumps({**document, "reason": reason, **details, "code": code}).encode()


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def invalid(of: Document) -> str:
    """What the CustomResourceDefinition's schema says against a status."""
    for name in ("abort", "promoteFull", "controllerPause"):
        if name in of and not isinstance(of[name], bool):
            return f"status.{name} in body must be of type boolean"
    if "currentStepIndex" in of and not isinstance(of["currentStepIndex"], int):
        return "status.currentStepIndex in body must be of type integer"
    for each in of.get("pauseConditions", ()):
        if set(each) != {"reason", "startTime"}:
            return "status.pauseConditions.startTime: Required value"
    return ""


@contextmanager
def serve(api: Api, tls: ssl.SSLContext | None = None) -> Iterator[Api]:
    """The server, while the block runs."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            raw = self.rfile.read(length)
            with suppress(ValueError):
                raw = json.loads(raw)
            asked = Asked(
                self.command,
                self.path,
                self.headers.get("Content-Type", ""),
                self.headers.get("Authorization", ""),
                raw if isinstance(raw, dict) else None,
                {name.lower(): value for name, value in self.headers.items()},
            )
            with api.lock:
                if api.before is not None:
                    api.before(asked)
                api.asked.append(asked)
                instead = api.fault(asked)
                code, body, headers = (
                    instead
                    if isinstance(instead, tuple)
                    else (*api.answer(asked), {"Content-Type": "application/json"})
                )
            if instead == "drop":
                self.close_connection = True
                return
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            if isinstance(instead, str):
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self._pieces(body, endless=instead == "trickle")
                return
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_PATCH(self) -> None:
            self.do_GET()

        def do_POST(self) -> None:
            self.do_GET()

        def _pieces(self, body: bytes, *, endless: bool) -> None:
            with suppress(OSError):
                for at in range(0, len(body), 100):
                    piece = body[at : at + 100]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                while endless and not ended.is_set():
                    self.wfile.write(b"1\r\n \r\n")
                    time.sleep(0.02)
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    api.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
