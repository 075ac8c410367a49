"""`aegis sign` and `aegis verify file|model|attestation`: what one writes, the other takes, and nothing else."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from tests.integration.verify.command import Command, write_key
from tests.support.signing.signing import KINDS, dump, envelope_bundle, message_bundle, pem, private
from tests.support.signing.verifying import MODEL, SLSA, root_of, sha256

TOOL = b"a tool\n" * 99
PASSWORD = "correct horse"


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    (tmp_path / "tool.bin").write_bytes(TOOL)
    return tmp_path / "tool.bin"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name, content in MODEL.items():
        place = tmp_path / "model" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return tmp_path / "model"


def public(folder: Path, kind: str = "ecdsa-p256", number: int = 0) -> Path:
    place = folder / f"{kind}-{number}.pub"
    place.write_text(pem(private(kind, number)))
    return place


class TestFile:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("flag", ["--bundle", "--signature"])
    def test_round_trip(self, tmp_path: Path, tool: Path, aegis: Command, kind: str, flag: str) -> None:
        key, out = write_key(tmp_path, kind), tmp_path / "out.sig"
        assert aegis("sign", "file", tool, "--key", key, flag, out).ends(0).out == f"{out}\n"
        done = aegis("verify", "file", tool, "--key", public(tmp_path, kind), flag, out).ends(0)
        assert f"sha256:{sha256(TOOL)}\n" in done.out
        aegis("verify", "file", tool, "--key", public(tmp_path, kind, 1) if kind != "rsa" else public(tmp_path), flag,
              out).ends(1, "verify.")  # fmt: skip
        tool.write_bytes(TOOL[:-1])
        aegis("verify", "file", tool, "--key", public(tmp_path, kind), flag, out).ends(1, "verify.wrong_signature")

    def test_beside_the_file_by_default(self, tool: Path, key: Path, aegis: Command) -> None:
        aegis("sign", "file", tool, "--key", key).ends(0)
        assert tool.with_name("tool.bin.sigstore.json").exists()

    def test_by_its_digest(self, tmp_path: Path, tool: Path, key: Path, aegis: Command) -> None:
        aegis("sign", "file", tool, "--key", key).ends(0)
        arguments = ("--key", public(tmp_path), "--bundle", f"{tool}.sigstore.json")
        aegis("verify", "file", f"sha256:{sha256(TOOL)}", *arguments).ends(0)
        aegis("verify", "file", f"sha256:{sha256(b'x')}", *arguments).ends(1, "verify.wrong_signature")
        for digest in (sha256(TOOL).upper(), sha256(TOOL)[1:], "", sha256(TOOL) + "\n"):
            aegis("verify", "file", f"sha256:{digest}", *arguments).ends(2, "core.wrong_usage")

    @pytest.mark.parametrize("kind", ["ed25519", "ecdsa-p384"])
    def test_a_digest_that_is_not_enough(self, tmp_path: Path, tool: Path, aegis: Command, kind: str) -> None:
        aegis("sign", "file", tool, "--key", write_key(tmp_path, kind)).ends(0)
        arguments = ("--key", public(tmp_path, kind), "--bundle", f"{tool}.sigstore.json")
        aegis("verify", "file", f"sha256:{sha256(TOOL)}", *arguments).ends(2, "not only sha256")

    def test_json(self, tmp_path: Path, tool: Path, key: Path, aegis: Command) -> None:
        aegis("sign", "file", tool, "--key", key).ends(0)
        bundle = f"{tool}.sigstore.json"
        done = aegis("verify", "file", tool, "--key", public(tmp_path), "--bundle", bundle, "--format", "json").ends(0)
        assert done.json["result"] == "pass"
        assert done.json["sha256"] == sha256(TOOL)
        assert [each["method"] for each in done.json["signed_by"]] == ["key"]

    def test_a_bundle_is_no_detached_signature(self, tmp_path: Path, tool: Path, key: Path, aegis: Command) -> None:
        aegis("sign", "file", tool, "--key", key).ends(0)
        bundle = f"{tool}.sigstore.json"
        aegis("verify", "file", tool, "--key", public(tmp_path), "--signature", bundle).ends(2, "use --bundle")

    def test_the_key_of_the_environment(
        self, tmp_path: Path, tool: Path, key: Path, aegis: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        aegis("sign", "file", tool, "--key", key).ends(0)
        arguments = ("verify", "file", tool, "--key", "env://COSIGN_PUB_KEY", "--bundle", f"{tool}.sigstore.json")
        aegis(*arguments).ends(2, "verify.key_")
        text = public(tmp_path).read_text()
        for form in (text, base64.b64encode(text.encode()).decode()):
            monkeypatch.setenv("COSIGN_PUB_KEY", form)
            aegis(*arguments).ends(0)
        monkeypatch.setenv("COSIGN_PUB_KEY", public(tmp_path, number=1).read_text())
        aegis(*arguments).ends(1, "verify.wrong_key")


class TestPassword:
    def test_it_comes_from_the_environment_only(
        self, tmp_path: Path, tool: Path, aegis: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = write_key(tmp_path, password=PASSWORD)
        said = aegis("sign", "file", tool, "--key", key).ends(2, "verify.private_key_invalid", "password").said
        monkeypatch.setenv("COSIGN_PASSWORD", "wr0ng-guess")
        said += aegis("sign", "file", tool, "--key", key).ends(2, "verify.private_key_invalid").said
        monkeypatch.setenv("COSIGN_PASSWORD", PASSWORD)
        said += aegis("sign", "file", tool, "--key", key).ends(0).said
        written = tool.with_name("tool.bin.sigstore.json").read_text()
        for secret in (PASSWORD, "wr0ng-guess", *key.read_text().split("\n")[1:-2]):
            assert secret not in said
            assert secret not in written
        aegis("verify", "file", tool, "--key", public(tmp_path), "--bundle", f"{tool}.sigstore.json").ends(0)

    def test_there_is_no_argument_for_it(self, tool: Path, key: Path, aegis: Command) -> None:
        aegis("sign", "file", tool, "--key", key, "--password", "x").ends(2)


class TestOutput:
    def test_it_is_replaced_as_a_whole(self, tmp_path: Path, tool: Path, key: Path, aegis: Command) -> None:
        out = tmp_path / "out.json"
        out.write_text("x" * 100_000)
        aegis("sign", "file", tool, "--key", key, "--bundle", out).ends(0)
        aegis("verify", "file", tool, "--key", public(tmp_path), "--bundle", out).ends(0)
        assert not list(tmp_path.glob(".*"))

    @pytest.mark.parametrize("place", [".", "/", "absent/x.json", "tool.bin/x.json", "x" * 300, "folder"])
    def test_a_place_that_cannot_be_written(
        self, tmp_path: Path, tool: Path, key: Path, aegis: Command, place: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "folder").mkdir()
        before = sorted(tmp_path.rglob("*"))
        aegis("sign", "file", tool, "--key", key, "--bundle", place).ends(3, "core.output_unwritable")
        assert sorted(tmp_path.rglob("*")) == before

    def test_nothing_is_written_where_nothing_could_be_signed(self, tmp_path: Path, tool: Path, aegis: Command) -> None:
        (tmp_path / "bad.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        out = tmp_path / "out.json"
        out.write_text("as it was")
        aegis("sign", "file", tool, "--key", tmp_path / "bad.pem", "--bundle", out).ends(2, "verify.private_key_inval")
        assert out.read_text() == "as it was"


class TestModel:
    @pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"])
    @pytest.mark.parametrize("shards", [(), ("--shard-size", "100")])
    def test_round_trip(self, tmp_path: Path, model: Path, aegis: Command, kind: str, shards: tuple[str, ...]) -> None:
        aegis("sign", "model", model, "--key", write_key(tmp_path, kind), *shards).ends(0)
        arguments = ("verify", "model", model, "--key", public(tmp_path, kind))
        done = aegis(*arguments).ends(0)
        if not shards:
            assert f"sha256:{root_of(MODEL)}" in done.out
        (model / "weights" / "a.bin").write_bytes(b"\0" * 2048)
        aegis(*arguments).ends(1, "verify.file_differs")
        (model / "weights" / "a.bin").unlink()
        aegis(*arguments).ends(1, "verify.file_missing")

    @pytest.mark.parametrize("name", ["evil.pkl", ".hidden", ".git/config", "weights/.gitattributes", "model.sig.bak"])
    def test_extra_files(self, tmp_path: Path, model: Path, key: Path, aegis: Command, name: str) -> None:
        aegis("sign", "model", model, "--key", key).ends(0)
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_text("x")
        aegis("verify", "model", model, "--key", public(tmp_path)).ends(1, "verify.file_unsigned")
        aegis("verify", "model", model, "--key", public(tmp_path), "--beside", name).ends(0)

    def test_what_is_no_folder(self, tmp_path: Path, key: Path, aegis: Command) -> None:
        (tmp_path / "file").touch()
        for place in (tmp_path / "missing", tmp_path / "file"):
            for command in (
                ("sign", "model", place, "--key", key),
                ("verify", "model", place, "--key", public(tmp_path)),
                ("verify", "release", "sign", "tool", "--version", "1.0", "--folder", place, "--key", key),
            ):
                aegis(*command).ends(2, "core.wrong_usage", f"'{place}' is no folder")

    def test_an_extra_empty_folder(self, tmp_path: Path, model: Path, key: Path, aegis: Command) -> None:
        aegis("sign", "model", model, "--key", key).ends(0)
        (model / "empty").mkdir()
        aegis("verify", "model", model, "--key", public(tmp_path)).ends(1)

    def test_what_the_model_is_made_of_beside_its_files(
        self, tmp_path: Path, model: Path, key: Path, aegis: Command
    ) -> None:
        aegis("sign", "model", model, "--key", key).ends(0)
        (model / "link").symlink_to("config.json")
        aegis("verify", "model", model, "--key", public(tmp_path)).ends(1, "verify.symlink")
        (model / "link").unlink()
        os.link(model / "config.json", tmp_path / "other-name")
        aegis("verify", "model", model, "--key", public(tmp_path)).ends(1, "verify.hard_link")
        aegis("sign", "model", model, "--key", key).ends(1, "verify.hard_link")

    def test_a_signature_elsewhere_or_by_another_name(
        self, tmp_path: Path, model: Path, key: Path, aegis: Command
    ) -> None:
        for place in (tmp_path / "elsewhere.sig", model / "own.sig"):
            aegis("sign", "model", model, "--key", key, "--signature", place).ends(0)
            aegis("verify", "model", model, "--key", public(tmp_path), "--signature", place).ends(0)
        aegis("verify", "model", model, "--key", public(tmp_path)).ends(1, "verify.unsigned")

    def test_it_can_be_signed_again(self, tmp_path: Path, model: Path, key: Path, aegis: Command) -> None:
        aegis("sign", "model", model, "--key", key).ends(0)
        (model / "new").write_text("x")
        aegis("sign", "model", model, "--key", key).ends(0)
        aegis("verify", "model", model, "--key", public(tmp_path)).ends(0)

    @pytest.mark.parametrize("path", ["weights", "weights/", "config.json"])
    def test_what_is_left_out_has_to_be_named(
        self, tmp_path: Path, model: Path, key: Path, aegis: Command, path: str
    ) -> None:
        aegis("sign", "model", model, "--key", key, "--ignore-path", path).ends(0)
        arguments = ("verify", "model", model, "--key", public(tmp_path))
        aegis(*arguments).ends(1, "verify.ignored_paths")
        aegis(*arguments, "--ignore-path", path).ends(0)

    def test_an_empty_folder_is_no_model(self, tmp_path: Path, key: Path, aegis: Command) -> None:
        (tmp_path / "empty").mkdir()
        aegis("sign", "model", tmp_path / "empty", "--key", key).ends(2, "verify.cannot_sign_model")
        aegis("verify", "model", tmp_path / "empty", "--key", public(tmp_path)).ends(1, "verify.artifact_missing")

    @pytest.mark.parametrize("size", ["-1", "x", "0.5"])
    def test_shards_of_no_size(self, model: Path, key: Path, aegis: Command, size: str) -> None:
        aegis("sign", "model", model, "--key", key, f"--shard-size={size}").ends(2)


class TestAttestation:
    @pytest.fixture
    def predicate(self, tmp_path: Path) -> Path:
        (tmp_path / "predicate.json").write_text('{"builder": "octo"}')
        return tmp_path / "predicate.json"

    def test_round_trip(self, tmp_path: Path, tool: Path, key: Path, predicate: Path, aegis: Command) -> None:
        out = tmp_path / "said.json"
        aegis(
            "sign", "attestation", tool, "--key", key, "--predicate", predicate, "--type", SLSA, "--bundle", out
        ).ends(0)
        arguments = ("--key", public(tmp_path), "--bundle", out)
        aegis("verify", "attestation", tool, *arguments, "--type", SLSA).ends(0)
        aegis("verify", "attestation", f"sha256:{sha256(TOOL)}", *arguments, "--type", SLSA).ends(0)
        aegis("verify", "attestation", tool, *arguments, "--type", SLSA + "x").ends(1, "verify.wrong_predicate")
        aegis("verify", "attestation", predicate, *arguments, "--type", SLSA).ends(1, "verify.attestation_subject")
        aegis("verify", "file", tool, *arguments).ends(1, "verify.wrong_content")

    def test_of_a_model(self, tmp_path: Path, model: Path, key: Path, predicate: Path, aegis: Command) -> None:
        aegis("sign", "attestation", model, "--key", key, "--predicate", predicate, "--type", SLSA).ends(0)
        out = model / "attestation.sigstore.json"
        arguments = ("--key", public(tmp_path), "--bundle", out, "--type", SLSA)
        aegis("verify", "attestation", f"sha256:{root_of(MODEL)}", *arguments).ends(0)
        # again, over the one that is there
        aegis("sign", "attestation", model, "--key", key, "--predicate", predicate, "--type", SLSA).ends(0)
        aegis("verify", "attestation", f"sha256:{root_of(MODEL)}", *arguments).ends(0)

    @pytest.mark.parametrize("content", ["", "[]", "7", "{", '{"a": 1, "a": 2}', "NaN", "\udc80"])
    def test_a_predicate_that_is_none(
        self, tool: Path, key: Path, predicate: Path, aegis: Command, content: str
    ) -> None:
        predicate.write_bytes(content.encode("utf-8", "surrogateescape"))
        aegis("sign", "attestation", tool, "--key", key, "--predicate", predicate, "--type", SLSA).ends(
            2, "core.wrong_usage"
        )


GARBAGE = {
    "empty": b"",
    "binary": bytes(range(256)),
    "braces": b"{" * 100_000,
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "doubled": b'{"mediaType": 1, "mediaType": 2}',
    "numbers": b"9" * 10_000,
    "nan": b"NaN",
    "bom": b"\xef\xbb\xbf{}",
    "base64": b"AAAA",
    "utf-16": "{}".encode("utf-16"),
    "lone surrogate": b'{"a": "\\ud800"}',
    "pem": b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    "half a bundle": dump(message_bundle(private("ecdsa-p256"), TOOL))[:-40],
    "null inside": json.dumps({**message_bundle(private("ecdsa-p256"), TOOL), "messageSignature": None}).encode(),
    "both": json.dumps({**message_bundle(private("ecdsa-p256")), **envelope_bundle(private("ecdsa-p256"))}).encode(),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
class TestGarbage:
    """Whatever a file holds: a reason and an exit code."""

    def test_as_signature(self, tmp_path: Path, tool: Path, model: Path, aegis: Command, content: bytes) -> None:
        place = tmp_path / "garbage"
        place.write_bytes(content)
        (model / "model.sig").write_bytes(content)
        key = public(tmp_path)
        aegis("verify", "file", tool, "--key", key, "--bundle", place).ends(1, "verify.")
        aegis("verify", "model", model, "--key", key).ends(1, "verify.")
        aegis("verify", "model", model, "--key", key, "--signature", place).ends(1, "verify.")
        aegis("verify", "attestation", tool, "--key", key, "--bundle", place, "--type", SLSA).ends(1, "verify.")
        done = aegis("verify", "file", tool, "--key", key, "--signature", place)
        assert done.code in {1, 2}
        done.ends(done.code)

    def test_as_key(self, tmp_path: Path, tool: Path, model: Path, aegis: Command, content: bytes) -> None:
        place, bundle = tmp_path / "garbage", tmp_path / "bundle"
        place.write_bytes(content)
        bundle.write_bytes(dump(message_bundle(private("ecdsa-p256"), TOOL)))
        aegis("verify", "file", tool, "--key", place, "--bundle", bundle).ends(2, "verify.key_invalid")
        aegis("sign", "file", tool, "--key", place).ends(2, "verify.private_key_invalid")
        aegis("sign", "model", model, "--key", place).ends(2, "verify.private_key_invalid")

    def test_as_trusted_root(self, tmp_path: Path, tool: Path, aegis: Command, content: bytes) -> None:
        from tests.doubles.sigstore.signer import IDENTITY, ISSUER, PrivateSigstore

        place, bundle = tmp_path / "garbage", tmp_path / "bundle"
        place.write_bytes(content)
        bundle.write_bytes(dump(PrivateSigstore().sign_file(TOOL)))
        who = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
        done = aegis("verify", "file", tool, *who, "--bundle", bundle, "--trusted-root", place)
        assert done.code in {1, 2}
        done.ends(done.code, "verify.trusted_root_invalid")


class TestKeyless:
    def test_who_and_which_issuer(self, tmp_path: Path, tool: Path, aegis: Command) -> None:
        from tests.doubles.sigstore.signer import IDENTITY, ISSUER, PrivateSigstore

        own = PrivateSigstore()
        bundle, root = tmp_path / "bundle", tmp_path / "root.json"
        bundle.write_bytes(dump(own.sign_file(TOOL)))
        root.write_bytes(own.trusted_root())
        rest = ("--bundle", bundle, "--trusted-root", root)

        def run(identity: str, issuer: str, *more: str | Path, flag: str = "--certificate-identity") -> tuple[str, int]:
            done = aegis("verify", "file", tool, flag, identity, "--certificate-oidc-issuer", issuer, *rest, *more)
            return done.ends(done.code).said, done.code

        assert run(IDENTITY, ISSUER)[1] == 0
        pattern = "^" + IDENTITY.replace(".", r"\.") + "$"
        assert run(pattern, ISSUER, flag="--certificate-identity-regexp")[1] == 0
        for wrong in (IDENTITY[:-1], IDENTITY + "x", IDENTITY.replace("main", "evil"), IDENTITY.upper()):
            said, code = run(wrong, ISSUER)
            assert (code, "verify.wrong_identity" in said) == (1, True)
        said, code = run(IDENTITY, ISSUER + "/")
        assert (code, "verify.wrong_issuer" in said) == (1, True)
        said, code = run(".*", ISSUER, flag="--certificate-identity-regexp")
        assert (code, "verify.pattern_unsafe" in said) == (2, True)
        # the packaged trusted root does not know this Sigstore
        who = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
        aegis("verify", "file", tool, *who, "--bundle", bundle).ends(1, "verify.")
        aegis("verify", "file", tool, "--key", public(tmp_path), *rest).ends(1, "verify.wrong_key")

    def test_keyless_signing_needs_a_workflow(self, tmp_path: Path, tool: Path, model: Path, aegis: Command) -> None:
        before = sorted(tmp_path.rglob("*"))
        aegis("sign", "file", tool, "--keyless").ends(3, "verify.no_workflow")
        aegis("sign", "model", model, "--keyless").ends(3, "verify.no_workflow")
        aegis("sign", "file", tool, "--keyless", "--signature", tmp_path / "x").ends(2, "core.wrong_usage")
        assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize("config", [None, "", "{}", "[]"])
    def test_a_trust_config_that_is_none(
        self, tmp_path: Path, tool: Path, aegis: Command, config: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = tmp_path / "config.json"
        if config is not None:
            place.write_text(config)
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:9/")
        monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t0ken-of-the-job")
        done = aegis("sign", "file", tool, "--keyless", "--trust-config", place)
        assert done.code in {2, 3}
        assert "t0ken-of-the-job" not in done.said
        done.ends(done.code)


WRONG_USAGE: list[tuple[str, ...]] = [
    (),
    ("--bundle", "b"),
    ("--key", "k"),
    ("--key", "k", "--bundle", "b", "--signature", "s"),
    ("--key", "k", "--certificate-identity", "i", "--bundle", "b"),
    ("--certificate-identity", "i", "--certificate-identity-regexp", "^i$", "--bundle", "b"),
    ("--certificate-identity", "i", "--bundle", "b"),
    ("--certificate-identity", "i", "--certificate-oidc-issuer", "", "--bundle", "b"),
    ("--key", "absent", "--bundle", "b"),
    ("--key", ".", "--bundle", "b"),
    ("--key", "k", "--bundle", "absent"),
    ("--key", "k", "--bundle", "."),
    ("--key", "k", "--bundle", "b", "--trusted-root", "absent"),
    ("--key", "k", "--bundle", "b", "--format", "xml"),
    ("--ke", "k", "--bundle", "b"),
]


@pytest.mark.parametrize("arguments", WRONG_USAGE)
def test_wrong_usage(
    tmp_path: Path, tool: Path, aegis: Command, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "k").write_text(pem(private("ecdsa-p256")))
    (tmp_path / "b").write_bytes(dump(message_bundle(private("ecdsa-p256"), TOOL)))
    aegis("verify", "file", tool, "--key", "k", "--bundle", "b").ends(0)
    aegis("verify", "file", tool, *arguments).ends(2)


@pytest.mark.parametrize("artifact", ["absent", ".", "loop", "file/x", "x" * 5000])
def test_no_artifact(tmp_path: Path, aegis: Command, artifact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    key = write_key(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    (tmp_path / "b").write_bytes(dump(message_bundle(private("ecdsa-p256"), TOOL)))
    (tmp_path / "p").write_text("{}")
    aegis("verify", "file", artifact, "--key", public(tmp_path), "--bundle", "b").ends(2, "core.wrong_usage")
    aegis("sign", "file", artifact, "--key", key).ends(2, "core.wrong_usage")
    for command in (
        ("verify", "model", artifact, "--key", public(tmp_path)),
        ("sign", "model", artifact, "--key", key, "--signature", tmp_path / "out"),
        ("sign", "attestation", artifact, "--key", key, "--predicate", "p", "--type", "t", "--bundle", "out"),
    ):
        if artifact != ".":
            done = aegis(*command)
            assert done.code in {1, 2, 3}
            done.ends(done.code)
