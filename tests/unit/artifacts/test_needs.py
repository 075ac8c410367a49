"""What the credentials of a run may read: exactly what the gate then reads."""

from __future__ import annotations

from aegis.artifacts.needs import Need, needs_of
from aegis.core.policy import Earlier, Load, Release, VerifyPolicy
from tests.doubles.objects import Bucket
from tests.support.signing.verifying import (
    attestation_artifact,
    by,
    file_artifact,
    judged,
    model_artifact,
    policy,
    sha256,
    signed_file,
    signed_model,
    statement_about,
)

EARLIER = Earlier(source="s3://verdicts/main/", signers=(by(0),))


def test_a_need_for_each_store() -> None:
    asked = policy(
        file_artifact(source="s3://bkt-a/x/tool.bin", release=Release()),
        file_artifact(name="other", source="s3://bkt-a/top.bin", signatures=("*.sig", "sigs/*.two")),
        model_artifact(source="s3://bkt-b/m/", release=Release(statement="r.json")),
        file_artifact(name="files", source="s3://bkt-b/f/"),
        attestation_artifact(name="said", source="oci://ns/c/y.bin"),
        attestation_artifact(name="folder", source="s3://bkt-b/m/", signatures=("said.json",)),
        model_artifact(name="local", source="models/m/"),
        earlier=EARLIER,
    )
    assert needs_of(asked) == (
        Need(
            "s3",
            "bkt-a",
            (),
            (
                "x/tool.bin", "x/tool.bin.sigstore.json", "x/release.sigstore.json",
                "top.bin", "top.bin.sig", "sigs/top.bin.two",
            ),
        ),
        Need("s3", "bkt-b", ("m/", "f/"), ()),
        Need("oci", "ns/c", (), ("y.bin", "y.bin.sigstore.json")),
        Need("file", ".", ("models/m/",), ()),
        Need("s3", "verdicts", (), ("main/verdict.json", "main/verdict.json.sigstore.json")),
    )  # fmt: skip


def test_the_runtime_reads_its_verdict_by_itself() -> None:
    assert needs_of(policy(file_artifact(), load=Load(verdict=EARLIER))) == needs_of(policy(file_artifact()))


class Fenced(Bucket):
    """Gives nothing but what a need names, as a session policy does."""

    need: Need

    def list(self, prefix: str):  # type: ignore[no-untyped-def]  # noqa: ANN201 - as in Bucket
        assert prefix in self.need.prefixes
        return super().list(prefix)

    def head(self, key: str):  # type: ignore[no-untyped-def]  # noqa: ANN201 - as in Bucket
        assert key in self.need.keys or key.startswith(tuple(self.need.prefixes) or ("\0",)), key
        return super().head(key)


def test_nothing_else_is_asked_for() -> None:
    bucket = Fenced()
    bucket.put({**signed_file("tool.bin", b"tool"), **signed_model("m/"), **signed_file("f/x", b"x")})
    bucket.put({"said.bin": b"said", "said.bin.sigstore.json": statement_about(sha256(b"said"))})
    asked: VerifyPolicy = policy(
        file_artifact(),
        model_artifact(),
        file_artifact(name="files", source="s3://staging/f/"),
        attestation_artifact(name="said", source="s3://staging/said.bin"),
    )
    (bucket.need,) = needs_of(asked)
    assert judged(asked, bucket).outcome.findings == ()
