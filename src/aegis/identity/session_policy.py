"""The inline session policy of a run: just what its own configuration asks for, whatever else the role may do.

A session may do what both the role's policies and this one allow
(https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from aegis.core.errors import UsageError

MAX_CHARACTERS = 2048
"""`Policy` of AssumeRoleWithWebIdentity. STS packs it too, and may refuse a shorter one: see `PackedPolicyTooLarge`."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
_KMS_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}")
Deletion: TypeAlias = Literal["nothing", "latest", "versions"]
"""What may be removed: in a bucket that keeps versions, `latest` only hides an object, and `versions` destroys."""
_SPECIAL = re.compile(r"[*?$]")


@dataclass(frozen=True, slots=True)
class ReadNeed:
    """What is read of one bucket."""

    bucket: str
    prefixes: tuple[str, ...] = ()
    """Every object whose key starts so; an empty prefix is the whole bucket."""
    keys: tuple[str, ...] = ()
    """Single objects. Whether one is there is asked by listing its key as a prefix: S3 answers a HEAD for a missing
    object with 403 to whoever may list only some prefixes."""


@dataclass(frozen=True, slots=True)
class WriteNeed:
    """What is written to one bucket, or removed there; reading it is a need of its own."""

    bucket: str
    prefixes: tuple[str, ...]
    """Every object whose key starts so; an empty prefix is the whole bucket."""
    delete: Deletion
    create: bool = True
    """Whether objects are made, too; who only removes makes none."""
    retain: bool = False
    """Whether objects are held fast as they are written (Object Lock), and until when is asked."""


def session_policy(
    needs: Sequence[ReadNeed],
    *,
    partition: str = "aws",
    kms_keys: Sequence[str] = (),
    writes: Sequence[WriteNeed] = (),
) -> str:
    """The policy as compact JSON. `UsageError` where the needs cannot be said in it.

    `partition` is the role's; `kms_keys` are ARNs of keys (no aliases, which no policy can name).
    """
    merged = _merged(needs)
    if not merged:
        raise _invalid("nothing is read from S3", "at least one bucket with a prefix or a key")
    statements = [_objects(merged, partition), *(_listing(need, partition) for need in merged)]
    statements.append(_allow("s3:GetBucketLocation", [f"arn:{partition}:s3:::{need.bucket}" for need in merged]))
    statements += [_writing(each, partition) for each in writes]
    created = [each for each in writes if each.create]
    if created:
        buckets = sorted({_bucket(each.bucket) for each in created})
        # an upload whose id was lost is found by listing them
        statements.append(
            _allow("s3:ListBucketMultipartUploads", [f"arn:{partition}:s3:::{bucket}" for bucket in buckets])
        )
    if kms_keys:
        # parts of an upload are decrypted when it is completed
        # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions)
        actions = ["kms:Decrypt", "kms:GenerateDataKey"] if created else "kms:Decrypt"
        statements.append(_allow(actions, sorted({_kms(key) for key in kms_keys})))
    text = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    if len(text) > MAX_CHARACTERS:
        raise UsageError(
            "verify.session_policy_too_large",
            f"the session policy for these artifacts has {len(text)} characters",
            expected=f"at most {MAX_CHARACTERS}, which is what STS takes",
            remedy="Put the artifacts below fewer common prefixes, or check them in several jobs.",
        )
    return text


def _objects(needs: Iterable[ReadNeed], partition: str) -> dict[str, Any]:
    objects = [
        f"arn:{partition}:s3:::{need.bucket}/{name}"
        for need in needs
        for name in (*(f"{literal(prefix)}*" for prefix in need.prefixes), *map(literal, need.keys))
    ]
    return _allow(["s3:GetObject", "s3:GetObjectVersion"], objects)


def _listing(need: ReadNeed, partition: str) -> dict[str, Any]:
    patterns = [*(f"{literal(prefix)}*" for prefix in need.prefixes), *map(literal, need.keys)]
    statement = _allow(["s3:ListBucket", "s3:ListBucketVersions"], [f"arn:{partition}:s3:::{need.bucket}"])
    # With an Allow, a listing without a prefix has no such key and is therefore not allowed.
    statement["Condition"] = {"StringLike": {"s3:prefix": _one_or_many(patterns)}}
    return statement


def _writing(need: WriteNeed, partition: str) -> dict[str, Any]:
    actions = ["s3:PutObject", "s3:AbortMultipartUpload"] if need.create else []
    if need.delete != "nothing":
        actions.append("s3:DeleteObject")
    if need.delete == "versions":
        actions.append("s3:DeleteObjectVersion")
    if need.retain:
        actions += ["s3:PutObjectRetention", "s3:GetObjectRetention"]
    bucket = _bucket(need.bucket)
    return _allow(actions, [f"arn:{partition}:s3:::{bucket}/{literal(prefix)}*" for prefix in need.prefixes])


def _bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name):
        raise _invalid(f"the bucket is {name[:100]!r}", "a bucket's name")
    return name


def _merged(needs: Iterable[ReadNeed]) -> list[ReadNeed]:
    """One need a bucket, without what another prefix already covers."""
    prefixes: dict[str, set[str]] = {}
    keys: dict[str, set[str]] = {}
    for need in needs:
        _bucket(need.bucket)
        if not all(need.keys) or any(len(name) > 1024 for name in (*need.keys, *need.prefixes)):
            raise _invalid(f"a key in bucket {need.bucket!r} is empty or too long", "keys of 1 to 1024 characters")
        prefixes.setdefault(need.bucket, set()).update(need.prefixes)
        keys.setdefault(need.bucket, set()).update(need.keys)
    return [
        ReadNeed(bucket, tuple(sorted(_outer(found))), tuple(sorted(_uncovered(keys[bucket], found))))
        for bucket, found in sorted(prefixes.items())
        if found or keys[bucket]
    ]


def _outer(prefixes: set[str]) -> set[str]:
    return {one for one in prefixes if not any(one != other and one.startswith(other) for other in prefixes)}


def _uncovered(keys: set[str], prefixes: set[str]) -> set[str]:
    return {key for key in keys if not key.startswith(tuple(prefixes))}


def literal(text: str) -> str:
    """Text in which nothing is a wildcard or a variable of the policy language (version 2012-10-17)."""
    return _SPECIAL.sub(lambda found: f"${{{found[0]}}}", text)


def _kms(key: str) -> str:
    if not _KMS_KEY.fullmatch(key):
        raise _invalid(f"the KMS key is {key[:200]!r}", "a key's ARN such as arn:aws:kms:eu-west-1:123456789012:key/ID")
    return key


def _allow(actions: str | list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": _one_or_many(resources)}


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _invalid(problem: str, expected: str) -> UsageError:
    return UsageError(
        "verify.session_policy_invalid",
        f"no session policy can be made: {problem}",
        expected=expected,
        remedy="Correct the sources, or `aws.kms-keys`, in the policy file.",
    )
