"""Signatures: keys, bundles, model manifests, attestations, releases. What the verify gate and the runtime share.

Comes in: bytes of signatures, digests of artifacts, and `Trust` (who must have signed). Goes out: `Verified`, or
`aegis.core.errors.Refused` with a stable reason code. Nothing here reads files, the network or the clock: whoever
calls passes bytes and the time. The key path imports neither sigstore nor pydantic.
"""
