"""The verdicts that a rollout's images need, joined: the policy's keys, the store, and what is in it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from aegis.artifacts.trust import Materials, trust_of
from aegis.cli.canary.access import CanaryAccess
from aegis.cli.gate_run import Found, GateRun
from aegis.cli.policy_files import PolicyFiles, no_key
from aegis.core.errors import UsageError
from aegis.core.policy import Aws, Oci, Requires
from aegis.core.ports.objects import FolderStore
from aegis.gates.canary.required import Examined, examine
from aegis.storage.location import HERE, Location, parse_location


def examined(
    run: GateRun,
    found: Found,
    rule: Requires,
    access: CanaryAccess,
    images: Sequence[str],
    now: datetime.datetime | None = None,
) -> Examined:
    """What there is about these images. Raises AegisError where a key or the store cannot be had at all.

    `now`: what ages are counted to; by default the run's start.
    """
    files = PolicyFiles(found)
    trust = trust_of(
        rule.signers,
        1,
        files.read(rule.trusted_root) if rule.trusted_root is not None else None,
        Materials(files.read, access.options.cosign_pub_key, no_key(run, found)),
        now or run.started,
    )
    location = parse_location(rule.source)
    return examine(images, rule, _store(location, access, found.repository.root), location.key, trust)


def _store(location: Location, access: CanaryAccess, root: Path) -> FolderStore:
    if location.scheme == "s3":
        return _s3(location, access)
    if location.scheme == "oci" and access.policy.oci is not None:  # which `check_policy` has seen to
        return _oci(location, access.policy.oci, access)
    from aegis.adapters.objects.local import LocalStore

    return LocalStore(root if location.store == HERE else Path(location.store), name=location.store)


def _oci(location: Location, oci: Oci, access: CanaryAccess) -> FolderStore:
    from aegis.adapters.objects.oci import OciStore
    from aegis.adapters.oci.workload import WorkloadSigner

    if access.options.github:
        raise UsageError(
            "canary.policy_incomplete",
            f"canary.requires.source is {str(location)!r}, and the action installs no packages for OCI",
            expected="s3:// or a folder of the repository, in a workflow",
            remedy="keep the verdicts there, too; or judge by `aegis canary watch`, on a machine that OCI knows",
        )
    namespace, _, bucket = location.store.partition("/")
    return OciStore(namespace, bucket, oci.region, WorkloadSigner(access.environ), endpoint=oci.storage_endpoint)


def _s3(location: Location, access: CanaryAccess) -> FolderStore:
    from aegis.adapters.objects.s3 import S3Store
    from aegis.identity.session_policy import ReadNeed, session_policy

    aws = access.policy.aws or Aws()
    region = access.cloud.region_of(aws)
    need = ReadNeed(location.store, (location.key,))
    credentials = access.cloud.aws(
        aws, region, lambda partition: session_policy([need], partition=partition, kms_keys=aws.kms_keys)
    )
    return S3Store(location.store, region, credentials, endpoint=aws.s3_endpoint)
