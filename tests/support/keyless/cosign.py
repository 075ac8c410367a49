"""The verdict of cosign, as a second opinion. It is given a trusted root, so it needs no network."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.doubles.sigstore.encoding import PublicKey
from tests.support.keyless.case import Made


@dataclass(frozen=True)
class Cosign:
    """The program, and a folder of its own to write into."""

    program: Path
    folder: Path

    def accepts(self, made: Made) -> bool:
        """Whether it accepts the bundle for the same identity and issuer; it knows none of the other claims."""
        bundle, root, blob = (self.folder / name for name in ("bundle.json", "trusted_root.json", "blob"))
        bundle.write_bytes(made.data)
        root.write_bytes(made.sigstore.trusted_root())
        blob.write_bytes(b"" if made.content is None else made.content)
        older = b"base64Signature" in made.data
        if made.content is None:
            command = ["verify-blob-attestation", "--check-claims=false", "--type", "https://example.org/predicate/v1"]
        else:
            command = ["verify-blob", *(["--new-bundle-format=false"] if older else [])]
        command += ["--bundle", str(bundle), *(["--offline"] if older else ["--trusted-root", str(root)])]
        command += ["--certificate-oidc-issuer", made.signer.issuer]
        if made.signer.identity is not None:
            command += ["--certificate-identity", made.signer.identity]
        else:
            command += ["--certificate-identity-regexp", made.signer.pattern or ""]
        if b"signedTimestamp" in made.data:
            command.append("--use-signed-timestamps")
        if made.content is not None:
            command.append(str(blob))
        ran = subprocess.run(
            [str(self.program), *command],
            env=self._environment(made) if older else {**os.environ, "HOME": str(self.folder)},
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert ran.returncode in {0, 1}, ran.stderr
        assert "unknown flag" not in ran.stderr, ran.stderr
        return ran.returncode == 0

    def _environment(self, made: Made) -> dict[str, str]:
        """cosign's older formats know no trusted root: each key is a file of its own."""
        own = made.sigstore
        files = {
            "SIGSTORE_ROOT_FILE": own.root_authority.certificate.public_bytes(Encoding.PEM),
            "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": _pem(own.certificate_log.key.public_key()),
            "SIGSTORE_REKOR_PUBLIC_KEY": _pem(own.log.key.public_key()),
        }
        environment = {**os.environ, "HOME": str(self.folder)}
        for name, content in files.items():
            path = self.folder / f"{name}.pem"
            path.write_bytes(content)
            environment[name] = str(path)
        return environment


def _pem(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
