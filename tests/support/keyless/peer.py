"""The verdict of sigstore-python's own verifier, as a second opinion."""

from __future__ import annotations

from typing import Any

from tests.support.keyless.case import Made

_CLAIMS: dict[str, str] = {
    "repository-id": "OIDCSourceRepositoryIdentifier",
    "owner-id": "OIDCSourceRepositoryOwnerIdentifier",
    "ref": "OIDCSourceRepositoryRef",
    "trigger": "OIDCBuildTrigger",
    "runner-environment": "OIDCRunnerEnvironment",
}


def sigstore_accepts(made: Made) -> bool:
    """Whether sigstore-python 4.5 accepts it for the same identity, issuer and claims."""
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier
    from sigstore_models.trustroot import v1

    try:
        bundle = Bundle.from_json(made.data)
        root = TrustedRoot(v1.TrustedRoot.from_json(made.sigstore.trusted_root()))
        verifier = Verifier(trusted_root=root)
        if made.content is None:
            verifier.verify_dsse(bundle, _policy(made))
        else:
            verifier.verify_artifact(made.content, bundle, _policy(made))
    except Exception:
        return False
    return True


def _policy(made: Made) -> Any:
    from sigstore.verify import policy

    signer = made.signer
    claims = dict(signer.claims)
    if signer.deny_self_hosted:
        claims["runner-environment"] = "github-hosted"
    # It knows no patterns: there the case's own identity stands in for one.
    identity = signer.identity or "https://github.com/org/models/.github/workflows/release.yml@refs/heads/main"
    extra = [getattr(policy, _CLAIMS[name])(value) for name, value in claims.items()]
    return policy.AllOf([policy.Identity(identity=identity, issuer=signer.issuer), *extra])
