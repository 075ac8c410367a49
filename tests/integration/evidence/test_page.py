"""The commands of docs/evidence.md, word by word, and what they leave in the store."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.pages import pages
from tests.support.signing.signing import private
from tests.support.signing.verifying import signed_file
from tests.support.verdicts.evidence_desk import Desk

POLICY = """\
version: 1
verify:
  artifacts:
    - {name: model, kind: file, source: model.bin, signers: [{key: keys/build.pub}]}
evidence:
  store: kept/
  signers: [{key: keys/build.pub}]
"""
THEM = [block for block in pages.read("docs/evidence.md", pages.text("docs/evidence.md")) if block.is_typed]


def typed(desk: Desk, text: str) -> str:
    """Type it into a shell. aegis verify, aegis evidence put, find and verify, with git and sha256sum beside them."""
    program = f'aegis() {{ "{sys.executable}" -m aegis "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", program + text],
        cwd=desk.repository.root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_they_do_what_the_page_says(desk: Desk) -> None:
    desk.repository.commit({"aegis.yml": POLICY, **signed_file("model.bin", b"weights", private("ecdsa-p256"))})
    (desk.repository.root / "build.pem").write_bytes(desk.key.read_bytes())
    assert len(THEM) == 2
    for block in THEM:
        assert "PASSED" in typed(desk, block.text)
    commit = desk.repository.sha()
    layout = re.search(r"```text\n(.*?)```", Path(pages.ROOT / "docs/evidence.md").read_text(), re.DOTALL)
    assert layout is not None
    shapes = [
        re.escape(line)
        .replace("COMMIT", commit)
        .replace("DIGEST", "[0-9a-f]{64}")
        .replace("GATE", "verify")
        .replace("SHA256", "[0-9a-f]{64}")
        .replace("20260615T110000000Z", "[0-9]{8}T[0-9]{9}Z")
        for line in layout[1].splitlines()
    ]
    names = [f"{file.relative_to(desk.kept)}" for file in desk.files()]
    assert all(any(re.fullmatch(shape, name) for shape in shapes) for name in names), names
    assert all(any(re.fullmatch(shape, name) for name in names) for shape in shapes), names
