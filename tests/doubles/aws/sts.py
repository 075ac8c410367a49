"""AWS STS on loopback for AssumeRoleWithWebIdentity, as strict as the real one.

It verifies the token against the keys of its issuer, judges the role's trust policy, holds the limits of each
parameter, and remembers what each session may do.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html. Errors are worded as STS words
them.
"""

from __future__ import annotations

import datetime
import json
import re
import secrets
import ssl
import threading
import time
import urllib.request
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import jwt

from tests.doubles.aws import iam_policy

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_CLAIMS = {
    "aud", "sub", "actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository",
    "repository_id", "workflow",
}  # fmt: skip


@dataclass(frozen=True)
class Provider:
    """An OIDC provider of the account."""

    issuer: str
    address: str
    """Where discovery and keys are really served."""
    client_ids: tuple[str, ...] = ("sts.amazonaws.com",)


@dataclass(frozen=True)
class Role:
    """A role of the account."""

    name: str
    trust: Mapping[str, Any]
    policies: tuple[Mapping[str, Any], ...] = ()
    max_session: int = 3600


@dataclass(frozen=True)
class Session:
    """What was issued."""

    access_key: str
    secret_key: str
    token: str
    name: str
    expires: float
    role: Role
    policy: Mapping[str, Any] | None

    @property
    def secrets(self) -> tuple[str, str, str]:
        return self.access_key, self.secret_key, self.token


@dataclass(frozen=True)
class Fault:
    """What STS does instead of its work."""

    code: str = "InternalFailure"
    status: int = 500
    message: str = "We encountered an internal error. Please try again."
    times: int = 1
    raw: bytes | None = None
    silence: float = 0.0


class RefusalError(Exception):
    """An error of STS."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass
class Sts:
    """The service of one account, and the authority that a store asks about its sessions."""

    account: str = "123456789012"
    providers: tuple[Provider, ...] = ()
    roles: tuple[Role, ...] = ()
    answers_as: str = ""
    """Another account, in whose name sessions are given."""
    lifetime: int | None = None
    """Seconds of a session, whatever was asked for."""
    packed_limit: int = 900
    """Bytes of the packed session policy. How AWS packs is not documented; zlib stands in for it."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    address: str = ""

    def arn(self, name: str) -> str:
        return f"arn:aws:iam::{self.account}:role/{name}"

    # --- what a store asks ---

    def secret(self, access_key: str) -> tuple[str, str | None] | None:
        """Secret key and session token of an access key; None where nobody has it."""
        session = self.sessions.get(access_key)
        return (session.secret_key, session.token) if session else None

    def allowed(self, access_key: str, action: str, resource_arn: str, context: Mapping[str, str]) -> bool:
        """What both the role's policies and the session policy allow, until the session ends."""
        session = self.sessions.get(access_key)
        if session is None or session.expires <= time.time():
            return False
        values = {key: [value] for key, value in context.items()}
        both = [list(session.role.policies), *([[session.policy]] if session.policy is not None else [])]
        return all(iam_policy.allows(each, action=action, resource=resource_arn, context=values) for each in both)

    # --- the exchange ---

    def assume(self, given: Mapping[str, str]) -> str:
        """The answer's XML. Raises RefusalError."""
        policy = _check(given, self.packed_limit)
        role = next((one for one in self.roles if self.arn(one.name) == given["RoleArn"]), None)
        duration = int(given.get("DurationSeconds", "3600"))
        provider, claims = self._identified(given["WebIdentityToken"])
        if role is None or not self._trusted(role, provider, claims, given["RoleSessionName"]):
            raise RefusalError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
        if duration > role.max_session:
            raise RefusalError(
                "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        session = Session(
            access_key="ASIA" + secrets.token_hex(8).upper(),
            secret_key=secrets.token_urlsafe(30),
            token="FwoG" + secrets.token_urlsafe(300),
            name=given["RoleSessionName"],
            expires=time.time() + (duration if self.lifetime is None else self.lifetime),
            role=role,
            policy=policy,
        )
        self.sessions[session.access_key] = session
        return self._xml(session, provider, claims, len(given.get("Policy", "")))

    def _identified(self, token: str) -> tuple[Provider, dict[str, Any]]:
        try:
            unverified = jwt.decode(token, options={"verify_signature": False})
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise RefusalError(
                "InvalidIdentityToken",
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
            ) from None
        issuer = unverified.get("iss", "")
        provider = next((one for one in self.providers if one.issuer == issuer), None)
        if provider is None:
            raise RefusalError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
        key = self._key(provider, header.get("kid"))
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key, ["RS256"], audience=list(provider.client_ids), issuer=issuer,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
            message = f"Token expired: current date/time {now} must be before the expiration date/time"
            raise RefusalError("ExpiredTokenException", message) from None
        except jwt.InvalidAudienceError:
            raise RefusalError("InvalidIdentityToken", "Incorrect token audience") from None
        except jwt.InvalidSignatureError:
            raise RefusalError("InvalidIdentityToken", "Token signature invalid") from None
        except jwt.PyJWTError as error:
            raise RefusalError("InvalidIdentityToken", f"The token is not valid: {type(error).__name__}") from None
        return provider, claims

    def _key(self, provider: Provider, kid: object) -> Any:
        try:
            # an opener of its own: the common one keeps the proxies of the moment in which it is first used
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{provider.address}/.well-known/openid-configuration", timeout=60) as answer:
                found = json.load(answer)
            with opener.open(found["jwks_uri"], timeout=60) as answer:
                keys = json.load(answer)["keys"]
        except OSError:
            message = "Couldn't retrieve verification key from your identity provider"
            raise RefusalError("InvalidIdentityToken", message) from None
        if found["issuer"] != provider.issuer:
            raise RefusalError("InvalidIdentityToken", "The issuer of the discovery document is another one")
        return jwt.PyJWK(next(key for key in keys if key["kid"] == kid)).key

    def _trusted(self, role: Role, provider: Provider, claims: Mapping[str, Any], session_name: str) -> bool:
        host = provider.issuer.removeprefix("https://")
        context = {f"{host}:{name}": [str(claims[name])] for name in _CLAIMS if name in claims}
        context["sts:RoleSessionName"] = [session_name]
        return iam_policy.allows(
            [role.trust],
            action="sts:AssumeRoleWithWebIdentity",
            federated=f"arn:aws:iam::{self.account}:oidc-provider/{host}",
            context=context,
        )

    def _xml(self, session: Session, provider: Provider, claims: Mapping[str, Any], size: int) -> str:
        account = self.answers_as or self.account
        expiration = datetime.datetime.fromtimestamp(session.expires, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            f'<AssumeRoleWithWebIdentityResponse xmlns="{_NAMESPACE}"><AssumeRoleWithWebIdentityResult>'
            f"<Audience>{escape(claims['aud'])}</Audience><AssumedRoleUser>"
            f"<AssumedRoleId>AROATESTTESTTESTTEST1:{session.name}</AssumedRoleId>"
            f"<Arn>arn:aws:sts::{account}:assumed-role/{session.role.name}/{session.name}</Arn></AssumedRoleUser>"
            f"<Provider>arn:aws:iam::{account}:oidc-provider/{provider.issuer.removeprefix('https://')}</Provider>"
            f"<PackedPolicySize>{size * 100 // 2048}</PackedPolicySize>"
            f"<Credentials><AccessKeyId>{session.access_key}</AccessKeyId>"
            f"<SecretAccessKey>{session.secret_key}</SecretAccessKey><SessionToken>{session.token}</SessionToken>"
            f"<Expiration>{expiration}</Expiration></Credentials>"
            f"<SubjectFromWebIdentityToken>{escape(claims['sub'])}</SubjectFromWebIdentityToken>"
            "</AssumeRoleWithWebIdentityResult><ResponseMetadata>"
            f"<RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
        )


def _check(given: Mapping[str, str], packed_limit: int) -> Mapping[str, Any] | None:
    """The parameters' own limits; the session policy, read."""

    def invalid(value: str, member: str, constraint: str) -> RefusalError:
        message = f"1 validation error detected: Value '{value[:80]}' at '{member}' failed to satisfy constraint: "
        return RefusalError("ValidationError", f"{message}Member must {constraint}")

    if not re.fullmatch(r"[\w+=,.@-]*", given["RoleSessionName"]):
        raise invalid(given["RoleSessionName"], "roleSessionName", r"satisfy regular expression pattern: [\w+=,.@-]*")
    if not 2 <= len(given["RoleSessionName"]) <= 64:
        raise invalid(given["RoleSessionName"], "roleSessionName", "have length between 2 and 64")
    if not 900 <= int(given.get("DurationSeconds", "3600")) <= 43200:
        raise invalid(given["DurationSeconds"], "durationSeconds", "have value greater than or equal to 900")
    if not 4 <= len(given["WebIdentityToken"]) <= 20_000:
        raise invalid("", "webIdentityToken", "have length between 4 and 20000")
    policy = given.get("Policy")
    if policy is None:
        return None
    if not 1 <= len(policy) <= 2048:
        raise invalid(policy, "policy", "have length less than or equal to 2048")
    try:
        document: Mapping[str, Any] = json.loads(policy)
        statements = document["Statement"]
        for one in statements if isinstance(statements, list) else [statements]:
            if one["Effect"] not in {"Allow", "Deny"} or not one["Action"] or not one["Resource"] or "Principal" in one:
                raise KeyError("element")
    except (ValueError, KeyError, TypeError):
        raise RefusalError("MalformedPolicyDocument", "Syntax errors in policy.") from None
    packed = len(zlib.compress(policy.encode()))
    if packed > packed_limit:
        message = (
            f"Packed policy consumes {packed * 100 // packed_limit}% of allotted space, please use smaller policy."
        )
        raise RefusalError("PackedPolicyTooLarge", message)
    return document


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        sts = self.server.sts
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        body = body or self.path.partition("?")[2]  # AWS' query protocol takes the parameters from either place
        given = {name: values[0] for name, values in parse_qs(body, strict_parsing=True).items()}
        sts.requests.append(given)
        assert "Authorization" not in self.headers, "the call is unsigned"
        if sts.faults:
            fault = sts.faults[0]
            rest = Fault(fault.code, fault.status, fault.message, fault.times - 1, fault.raw, fault.silence)
            sts.faults[:1] = [] if fault.times == 1 else [rest]
            time.sleep(fault.silence)
            if fault.raw is not None:
                self.wfile.write(fault.raw)
                self.close_connection = True
                return
            self._send(fault.status, _error(fault.code, fault.message, fault.status))
            return
        if given.get("Action") != "AssumeRoleWithWebIdentity" or given.get("Version") != "2011-06-15":
            self._send(400, _error("InvalidAction", "Could not find operation", 400))
            return
        try:
            self._send(200, sts.assume(given))
        except RefusalError as refusal:
            self._send(refusal.status, _error(refusal.code, str(refusal), refusal.status))

    def _send(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in (("Content-Type", "text/xml"), ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: what was asked is in `requests`."""


def _error(code: str, message: str, status: int) -> str:
    kind = "Sender" if status < 500 else "Receiver"
    return (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>{kind}</Type><Code>{code}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    sts: Sts

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up waiting is part of the play."""


@contextmanager
def serve(sts: Sts, *, tls: ssl.SSLContext | None = None) -> Iterator[Sts]:
    """Serve it on a free port of 127.0.0.1 until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.sts = sts
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    sts.address = f"http{'s' * (tls is not None)}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield sts
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
