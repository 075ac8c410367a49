from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures.keyless.checkpoint import check_checkpoint
from aegis.signatures.keyless.trusted_root import Log, load_trusted_root
from tests.doubles.sigstore import merkle
from tests.doubles.sigstore.signer import PrivateSigstore

OWN = PrivateSigstore()
CLASSIC, TILED = load_trusted_root(OWN.trusted_root()).logs
SIZE = len(OWN.log.leaves)
ROOT = merkle.root_hash(OWN.log.leaves)
NOTE, TILED_NOTE = OWN.log.checkpoint(), OWN.tiled_log.checkpoint()


def _check(note: str, log: Log = CLASSIC, *, tiled: bool = False) -> None:
    check_checkpoint(note, log, size=SIZE, root=ROOT, tiled=tiled)


def _refused(note: str, log: Log = CLASSIC, *, tiled: bool = False) -> str:
    with pytest.raises(Refused) as refusal:
        _check(note, log, tiled=tiled)
    assert refusal.value.code == "verify.checkpoint_invalid"
    return refusal.value.problem


def test_checkpoints_of_both_kinds_of_logs() -> None:
    _check(NOTE)
    _check(TILED_NOTE, TILED, tiled=True)


def test_signatures_of_witnesses_are_passed_over() -> None:
    text, _, signatures = NOTE.partition("\n\n")
    witness = "— witness.test AAAAAAAAAAAAAAAA\n"
    _check(f"{text}\n\n{witness}{signatures}{witness}")


def test_other_lines_of_the_text_are_signed_as_well() -> None:
    """The format lets a log add lines, and their change breaks the signature."""
    _refused(NOTE.replace("\n\n", "\nTimestamp: 1\n\n"))


@pytest.mark.parametrize(
    "change",
    [
        lambda note: "",
        lambda note: note[:-1],
        lambda note: note.replace("\n\n", "\n"),
        lambda note: "\n" + note,
        lambda note: note + "x",
        lambda note: note + "\n",
        lambda note: note.replace(f"\n{SIZE}\n", f"\n0{SIZE}\n"),
        lambda note: note.replace(f"\n{SIZE}\n", f"\n+{SIZE}\n"),
        lambda note: note.replace(f"\n{SIZE}\n", "\n\u0665\n"),
        lambda note: note.replace("— ", "- "),
        lambda note: note.replace("=\n", "\n", 1),
        lambda note: note.replace("\n", "\r\n"),
        lambda note: note + "— x AAAAAAAA\n" * 100,
        lambda note: note + "— x " + "A" * 20_000 + "\n",
    ],
)
def test_other_spellings_are_refused(change: Callable[[str], str]) -> None:
    _refused(change(NOTE))


def test_long_and_crowded_checkpoints_cost_nothing() -> None:
    assert "characters" in _refused(NOTE + "— x " + "A" * 20_000 + "\n")
    assert "signatures" in _refused(NOTE + "— x AAAA\n" * 100)


def test_tiled_log_is_bound_to_its_host() -> None:
    assert "is of" in _refused(TILED_NOTE, Log("https://other.test", TILED.key, TILED.key_id, b"abcd", TILED.window),
                               tiled=True)  # fmt: skip


def test_logs_do_not_stand_in_for_each_other() -> None:
    _refused(NOTE, TILED, tiled=True)
    _refused(TILED_NOTE)


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_is_refused(text: str) -> None:
    _refused(text)
