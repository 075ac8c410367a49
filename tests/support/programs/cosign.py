"""The real cosign, without network: no transparency log, no TUF."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs.gomod import program

VERSION = "3.1.3"
_TOOL = Path(__file__).parents[2] / "e2e" / "tools" / "cosign"
_OLDER = ("--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false")


@dataclass(frozen=True)
class Cosign:
    """cosign with a folder of its own for what it writes."""

    program: Path
    folder: Path

    @classmethod
    def within(cls, folder: Path) -> Cosign:
        """Built once for all; `folder` is its home."""
        cosign = cls(program(_TOOL, VERSION), folder)
        cosign.run("signing-config", "create", "--out", "signing-config.json")
        return cosign

    def tried(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A run that may fail."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "COSIGN_PASSWORD": ""}
        return subprocess.run(
            [self.program, *arguments],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    def run(self, *arguments: str | Path) -> str:
        """A run that must not."""
        ran = self.tried(*arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def import_key(self, pem: bytes, name: str) -> Path:
        """Its own form of a private key, PKCS#8 in PEM."""
        (self.folder / f"{name}.pem").write_bytes(pem)
        self.run("import-key-pair", "--key", f"{name}.pem", "--output-key-prefix", name, "--yes")
        return self.folder / f"{name}.key"

    def sign(self, key: Path, file: Path) -> bytes:
        """A bundle v0.3 over a file."""
        self.run(
            "sign-blob", "--key", key, "--signing-config", "signing-config.json", "--bundle", "out", "--yes", file
        )  # fmt: skip
        return (self.folder / "out").read_bytes()

    def sign_older(self, key: Path, file: Path) -> tuple[bytes, bytes]:
        """The two formats before: `.sig` and `.bundle`."""
        self.run(
            "sign-blob", "--key", key, *_OLDER, "--output-signature", "out.sig", "--bundle", "out.bundle", "--yes", file
        )
        return (self.folder / "out.sig").read_bytes(), (self.folder / "out.bundle").read_bytes()

    def attest(self, key: Path, statement: Path) -> bytes:
        """A bundle v0.3 over an in-toto statement."""
        self.run(
            "attest-blob", "--key", key, "--signing-config", "signing-config.json", "--statement", statement,
            "--bundle", "out", "--yes",
        )  # fmt: skip
        return (self.folder / "out").read_bytes()

    def accepts(self, public: Path, file: Path, signature: Path, *, flag: str = "--bundle") -> bool:
        """Whether `verify-blob` takes it; `flag` is `--signature` for a `.sig`."""
        ran = self.tried("verify-blob", "--key", public, flag, signature, "--insecure-ignore-tlog", file)
        assert (ran.returncode == 0) == ("Verified OK" in ran.stderr), ran.stderr
        return ran.returncode == 0

    def accepts_attestation(self, public: Path, file: Path, bundle: Path, predicate_type: str) -> bool:
        """Whether `verify-blob-attestation` takes it."""
        ran = self.tried(
            "verify-blob-attestation", "--key", public, "--bundle", bundle, "--type", predicate_type,
            "--insecure-ignore-tlog", file,
        )  # fmt: skip
        assert (ran.returncode == 0) == ("Verified OK" in ran.stderr), ran.stderr
        return ran.returncode == 0
