"""`aegis acceptance verify`: a folder that anybody had in hands."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aegis.acceptance import evidence, result
from aegis.acceptance.result import Acceptance
from aegis.cli.main import main
from aegis.core import typed
from aegis.core.errors import Refused
from tests.support.acceptance.repository import GOOD, Criteria

Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evidence folder: A1 passed, A2 fails since it does not notice its fault."""
    folder = tmp_path_factory.mktemp("written")
    criteria = Criteria(folder / "repository")
    criteria.add("A1")
    criteria.add("A2", faults={"planted": GOOD})
    criteria.make()
    words = ["acceptance", "--mode", "local", "--path", str(criteria.root), "--output", str(folder / "evidence")]
    assert main(words) == 1
    return folder / "evidence"


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(written, tmp_path / "evidence", symlinks=True))


def read(folder: Path) -> Acceptance:
    return typed.convert(json.loads((folder / evidence.RESULT).read_bytes()), Acceptance)


def resealed(folder: Path, run: Acceptance) -> None:
    """As somebody would who knows how the documents are made: every digest fits again."""
    (folder / evidence.RESULT).write_bytes(evidence.rendered(run))
    (folder / evidence.PREDICATE_FILE).write_bytes(evidence.encode(evidence.predicate(run)))
    files = []
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.is_file() and name not in evidence.UNLISTED:
            content = file.read_bytes()
            files.append({"path": name, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)})
    listing = evidence.encode({"schema": evidence.LISTING_SCHEMA, "files": sorted(files, key=lambda f: str(f["path"]))})
    (folder / evidence.LISTING).write_bytes(listing)
    (folder / evidence.STATED).write_bytes(evidence.statement(run, listing))


def test_as_it_was_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["acceptance", "verify", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "as it was written (not signed" in said
    assert "1 of 2 criteria passed, 1 fail: not accepted" in said


def test_a_folder_that_was_copied_is_the_same(folder: Path) -> None:
    for file in folder.rglob("*"):
        os.utime(file, (0, 0))
    assert evidence.verify(folder).criteria[0].status == "pass"


def test_sealed_again_without_a_change(folder: Path) -> None:
    """The tests' own way to seal is the one that is refused for its content below, not for its form."""
    resealed(folder, read(folder))
    evidence.verify(folder)


def _append(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")

    return change


def _linked(folder: Path) -> None:
    target = folder / "A1/positive/probe.json"
    target.rename(folder.parent / "probe.json")
    target.symlink_to(folder.parent / "probe.json")


def _swapped(folder: Path) -> None:
    one, other = folder / "A1/positive/probe.json", folder / "A1/planted/probe.json"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def _half_a_listing(folder: Path) -> None:
    listing = json.loads((folder / evidence.LISTING).read_bytes())
    listing["files"] = listing["files"][::2]
    (folder / evidence.LISTING).write_bytes(evidence.encode(listing))


DIFFERENT: dict[str, Change] = {
    "missing": lambda folder: (folder / "A1/positive/output.txt").unlink(),
    "missing-summary": lambda folder: (folder / "summary.md").unlink(),
    "missing-listing": lambda folder: (folder / evidence.LISTING).unlink(),
    "missing-statement": lambda folder: (folder / evidence.STATED).unlink(),
    "added": lambda folder: (folder / "A1/positive/more.txt").touch(),
    "added-at-the-top": lambda folder: (folder / "more.txt").touch(),
    "changed": _append("A1/positive/output.txt"),
    "changed-page": _append("index.html"),
    "changed-result": _append(evidence.RESULT),
    "changed-catalogue": _append(evidence.CATALOGUE),
    "swapped": _swapped,
    "linked": _linked,
    "device": lambda folder: os.mkfifo(folder / "A1/pipe"),
    "half-a-listing": _half_a_listing,
}


@pytest.mark.parametrize("name", sorted(DIFFERENT))
def test_other_files(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    DIFFERENT[name](folder)
    assert main(["acceptance", "verify", str(folder)]) == 1
    assert "acceptance.evidence_differs" in capsys.readouterr().err


def _said(**changes: Any) -> Callable[[Acceptance], Acceptance]:
    def change(run: Acceptance) -> Acceptance:
        changed = replace(run, **changes)
        return changed if "text" in changes else replace(changed, text=result.said(changed))

    return change


def _second(run: Acceptance, **changes: Any) -> Acceptance:
    criteria = (run.criteria[0], replace(run.criteria[1], **changes))
    changed = replace(
        run,
        criteria=criteria,
        result=result.overall(criteria, run.asked),
        accepted=result.accepted(criteria, planted=run.planted, commit=run.commit, uncommitted=run.uncommitted),
    )
    return replace(changed, text=result.said(changed))


def _answered_otherwise(run: Acceptance) -> Acceptance:
    """The negative probe of A2 has failed as it should, says the result; its own answer does not."""
    positive, negative = run.criteria[1].attempts
    check = replace(negative.checks[0], result="fail", reason="probe.planted")
    seen = replace(negative, result="fail", reason="probe.planted", exit_code=1, checks=(check,))
    return _second(run, status="pass", reason="core.passed", attempts=(positive, seen))


def _invented(run: Acceptance) -> Acceptance:
    """One check more than the probe has told of; the conclusion is the same."""
    positive, *negatives = run.criteria[0].attempts
    more = replace(positive, checks=(*positive.checks, replace(positive.checks[0], name="invented")))
    return replace(run, criteria=(replace(run.criteria[0], attempts=(more, *negatives)), run.criteria[1]))


CONTRADICTING: dict[str, Callable[[Acceptance], Acceptance]] = {
    "accepted": _said(accepted=True),
    "result": _said(result="pass"),
    "text": _said(text="staging (real): 2 of 2 criteria passed: all accepted"),
    "status": lambda run: _second(run, status="pass", reason="core.passed"),
    "attempts": _answered_otherwise,
    "invented-check": _invented,
    "fewer-faults": lambda run: _second(
        run, status="pass", reason="core.passed", attempts=run.criteria[1].attempts[:1]
    ),
    "no-attempts": lambda run: _second(run, status="pass", reason="core.passed", attempts=()),
    "simulated": lambda run: _second(run, simulated=("nothing",)),
    "criteria": lambda run: replace(run, criteria=run.criteria[:1]),
    "catalogue": lambda run: replace(run, catalogue=replace(run.catalogue, sha256="0" * 64)),
    "schema": lambda run: replace(run, schema="urn:aegis-gates:schema:acceptance:v2"),
}


@pytest.mark.parametrize("name", sorted(CONTRADICTING))
def test_whoever_makes_every_digest_anew_contradicts_the_probes(name: str, folder: Path) -> None:
    resealed(folder, CONTRADICTING[name](read(folder)))
    with pytest.raises(Refused) as refused:
        evidence.verify(folder)
    assert refused.value.code == "acceptance.evidence_invalid"


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"{}", b'{"schema": "x", "files": []}', b'{"files": [], "files": []}', b"\xff", b"[" * 100_000],
    ids=["empty", "list", "nothing", "schema", "twice", "bytes", "deep"],
)
@pytest.mark.parametrize("name", [evidence.LISTING, evidence.RESULT])
def test_documents_that_are_none(name: str, document: bytes, folder: Path) -> None:
    (folder / name).write_bytes(document)
    with pytest.raises(Refused) as refused:
        evidence.verify(folder)
    assert refused.value.code in ("acceptance.evidence_invalid", "acceptance.evidence_differs")


class TestSigned:
    @pytest.fixture
    def signed(self, folder: Path, tmp_path: Path) -> Path:
        """The folder, signed as docs/acceptance.md says; keys are beside it."""
        for name in ("good", "other"):
            _make_key(tmp_path / f"{name}.pem", tmp_path / f"{name}.pub")
        assert sign(folder, tmp_path / "good.pem") == 0
        return folder

    def test_by_the_key(self, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["acceptance", "verify", str(signed), "--key", str(tmp_path / "good.pub")]) == 0
        assert "signed by" in capsys.readouterr().out

    def test_by_another(self, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["acceptance", "verify", str(signed), "--key", str(tmp_path / "other.pub")]) == 1
        assert "verify." in capsys.readouterr().err

    def test_not_at_all(self, signed: Path, tmp_path: Path) -> None:
        (signed / evidence.BUNDLE).unlink()
        assert main(["acceptance", "verify", str(signed), "--key", str(tmp_path / "good.pub")]) != 0

    def test_about_another_folder(self, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = read(signed)
        resealed(signed, replace(run, command="aegis acceptance --mode local --only A1"))
        assert main(["acceptance", "verify", str(signed), "--key", str(tmp_path / "good.pub")]) == 1
        assert "verify.attestation_subject" in capsys.readouterr().err

    def test_that_says_something_else(self, signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        predicate = json.loads((signed / evidence.PREDICATE_FILE).read_bytes()) | {"result": "PASSED"}
        (tmp_path / "predicate.json").write_text(json.dumps(predicate))
        assert sign(signed, tmp_path / "good.pem", tmp_path / "predicate.json") == 0
        assert main(["acceptance", "verify", str(signed), "--key", str(tmp_path / "good.pub")]) == 1
        assert "acceptance.evidence_invalid" in capsys.readouterr().err


def sign(folder: Path, key: Path, predicate: Path | None = None) -> int:
    named = predicate or folder / evidence.PREDICATE_FILE
    words = ["sign", "attestation", str(folder / evidence.LISTING), "--key", str(key), "--predicate", str(named)]
    return main([*words, "--type", evidence.PREDICATE])


def _make_key(private: Path, public: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = ec.generate_private_key(ec.SECP256R1())
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def test_evidence_of_another_commit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = read(folder)
    assert main(["acceptance", "verify", str(folder), "--commit", str(run.commit)]) == 0
    assert main(["acceptance", "verify", str(folder), "--commit", "0" * 40]) == 1
    assert "acceptance.not_accepted" in capsys.readouterr().err


def test_the_result_is_as_its_schema_says(folder: Path) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads((Path(__file__).parents[3] / "docs/schemas/acceptance.v1.schema.json").read_bytes())
    document = json.loads((folder / evidence.RESULT).read_bytes())
    Draft202012Validator(schema).validate(document)
    assert evidence.encode(msgspec.to_builtins(read(folder))) == evidence.encode(document)
