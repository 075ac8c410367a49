"""Keyless signing: sigstore-python talks to the authority, the log and the timestamp authority.

Which services, says a client trust config (github.com/sigstore/protobuf-specs, sigstore_trustroot.proto
`ClientTrustConfig`): the public good instance's, as packaged, or a file's. A finished bundle is verified as the gate
would do it before it is handed out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aegis.adapters.http.call import is_safe
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.signatures import strict_json
from aegis.signatures.keyless.trusted_root import load_trusted_root, packaged_trusted_root

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse
    from sigstore._internal.timestamp import TimestampAuthorityClient
    from sigstore.models import Bundle, ClientTrustConfig
    from sigstore.sign import Signer

AUDIENCE = "sigstore"
"""Of the OIDC token: what Fulcio asks for (its docs/oidc.md)."""
TIMEOUT = 30.0
"""Seconds for an answer; Rekor v2 answers once the entry is in its tree, which takes a few."""
_RETRIES = 3
_MEDIA_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_SERVICES = ("caUrls", "rekorTlogUrls", "tsaUrls")


def sign_digest(digest: bytes, *, token: str, trust_config: bytes | None = None) -> bytes:
    """A Sigstore bundle over the file that has this SHA-256.

    `token` is an OIDC token with the audience `sigstore`. Raises UsageError `verify.trust_config_invalid`, and
    CouldNotDecide `verify.token_invalid` or `verify.signing_failed`; none of them repeats anything of the token.
    """
    from sigstore.hashes import Hashed
    from sigstore_models.common.v1 import HashAlgorithm

    hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest)
    return _signed(token, trust_config, lambda signer: signer.sign_artifact(hashed), digest)


def sign_statement(payload: bytes, *, token: str, trust_config: bytes | None = None) -> bytes:
    """A Sigstore bundle with an in-toto statement; the rest as for `sign_digest`."""
    from sigstore.dsse import Statement

    return _signed(token, trust_config, lambda signer: signer.sign_dsse(Statement(payload)), None)


def _signed(token: str, trust_config: bytes | None, sign: Callable[[Signer], Bundle], digest: bytes | None) -> bytes:
    from sigstore.oidc import IdentityToken
    from sigstore.sign import SigningContext

    config, root = _services(trust_config)
    try:
        identity = IdentityToken(token)
    except Exception:
        # The library's exceptions may hold the token, so nothing of them is chained.
        raise CouldNotDecide(
            "verify.token_invalid",
            "the OIDC token is not one that Sigstore takes",
            expected=f"an unexpired token with the audience {AUDIENCE!r}",
            remedy=f"Let the command mint the token in the job itself, or pass one with the audience {AUDIENCE!r}.",
        ) from None
    try:
        context = SigningContext.from_trust_config(config)
        # sigstore-python sets no time limit of its own for these two.
        for session in (context._fulcio.session, getattr(context._rekor, "_session", None)):
            _limit(session)
        context._tsa_clients = [_insistent(client.url) for client in context._tsa_clients]
        with context.signer(identity) as signer:
            bundle = sign(signer).to_json().encode()
    except CouldNotDecide:
        raise
    except Exception as error:
        raise _unanswered(error) from None
    _check(bundle, root, digest)
    return bundle


def _services(data: bytes | None) -> tuple[ClientTrustConfig, bytes]:
    """The services, and the trusted root that goes with them."""
    from sigstore.models import ClientTrustConfig

    document = _packaged() if data is None else _parsed(data)
    try:
        config = ClientTrustConfig.from_json(json.dumps(document))
        root = json.dumps(document["trustedRoot"]).encode()
        urls = [str(service["url"]) for name in _SERVICES for service in document["signingConfig"].get(name, ())]
    except Exception as error:
        raise _invalid("does not hold what its mediaType says") from error
    load_trusted_root(root)
    for url in urls:
        # The token is sent there.
        if not is_safe(url):
            raise _invalid(f"names the service {url[:200]!a}, which is not https")
    return config, root


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        document = strict_json.parse(data, what="the trust config")
    except AegisError as error:
        raise _invalid(error.problem.removeprefix("the trust config ")) from error
    if not isinstance(document, dict) or document.get("mediaType") != _MEDIA_TYPE:
        raise _invalid("is no client trust config")
    return document


def _packaged() -> dict[str, Any]:
    from importlib.resources import files

    folder = files("sigstore._store").joinpath("https%3A%2F%2Ftuf-repo-cdn.sigstore.dev")
    signing = json.loads(folder.joinpath("signing_config.v0.2.json").read_bytes())
    return {"mediaType": _MEDIA_TYPE, "trustedRoot": json.loads(packaged_trusted_root()), "signingConfig": signing}


def _limit(session: Any) -> None:
    """Give every request of a session a time limit, and another try where a service is only busy."""
    if session is None:
        return
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    class Limited(HTTPAdapter):
        def send(self, *given: Any, **how: Any) -> Any:
            return super().send(*given, **{**how, "timeout": how.get("timeout") or TIMEOUT})

    retry = Retry(total=_RETRIES, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=None)
    for scheme in ("https://", "http://"):
        session.mount(scheme, Limited(max_retries=retry))


def _insistent(url: str) -> TimestampAuthorityClient:
    """A client of a timestamp authority whose failure ends the signing: sigstore-python only warns, and goes on."""
    from sigstore._internal.timestamp import TimestampAuthorityClient, TimestampError

    class Insistent(TimestampAuthorityClient):
        def request_timestamp(self, signature: bytes) -> TimeStampResponse:
            try:
                return super().request_timestamp(signature)
            except TimestampError as error:
                raise _unanswered(error) from None

    return Insistent(url)


def _check(bundle: bytes, root: bytes, digest: bytes | None) -> None:
    """A bundle that the gate would refuse must not be found out only there."""
    import datetime

    from aegis.signatures.formats.bundle import parse_bundle
    from aegis.signatures.keyless.certificate import read_leaf
    from aegis.signatures.keyless.signature import verify_keyless
    from aegis.signatures.types import IdentitySigner, Trust

    try:
        parsed = parse_bundle(bundle, name="the new signature")
        leaf = read_leaf(parsed.certificates[0])
        signer = IdentitySigner(identity=leaf.identity, issuer=leaf.issuer)
        trust = Trust(signers=(signer,), trusted_root=root, now=datetime.datetime.now(datetime.UTC))
        verify_keyless(parsed, signer, trust, digest=digest)
    except AegisError as error:
        raise _failed(f"the new signature does not verify: {error.problem}") from error


def _unanswered(error: Exception) -> CouldNotDecide:
    """Which service, and what failed, without any text of the other side: it may hold the request, and so the token."""
    from requests import RequestException

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, RequestException):
        cause = cause.__cause__ or cause.__context__
    address = getattr(getattr(cause, "request", None), "url", None)
    service = f"the service {urlsplit(address).netloc[:200]!a}" if isinstance(address, str) else "a service of Sigstore"
    status = getattr(getattr(cause, "response", None), "status_code", None)
    said = f"{type(error).__name__}, HTTP {status}" if isinstance(status, int) else type(error).__name__
    return _failed(f"{service} did not answer as it should: {said}")


def _failed(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "verify.signing_failed",
        problem,
        expected="a certificate, a log entry and a timestamp by the services of the trust config",
        remedy="Run it again; see https://status.sigstore.dev if it happens again.",
    )


def _invalid(problem: str) -> UsageError:
    return UsageError(
        "verify.trust_config_invalid",
        f"the trust config {problem}",
        expected=_MEDIA_TYPE,
        remedy="Write the file as `cosign signing-config create` and `cosign trusted-root create` do, as one document.",
    )
