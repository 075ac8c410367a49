from __future__ import annotations

import os
import sys

import pytest

from aegis.startup import process
from aegis.startup.problem import COULD_NOT_DECIDE, StartupProblem

ENV = {"PATH": os.environ["PATH"]}


def run(code: str) -> str:
    return process.run([sys.executable, "-I", "-c", code], ENV, what="The installer")


def test_the_output_is_given_back() -> None:
    assert run("print('done')") == "done\n"


def test_a_failure_is_told_with_its_last_words_and_without_passwords() -> None:
    with pytest.raises(StartupProblem, match=r"The installer failed with exit code 7") as caught:
        run("import sys; print('no file at https://bob:hunter2@index.example/x', file=sys.stderr); sys.exit(7)")
    assert caught.value.exit_code == COULD_NOT_DECIDE
    assert "https://***@index.example/x" in caught.value.problem
    assert "hunter2" not in str(caught.value)


def test_a_long_output_is_cut_to_its_end() -> None:
    assert process.last_words("\n".join(map(str, range(100)))).splitlines()[0] == "88"


def test_a_missing_program_is_told() -> None:
    with pytest.raises(StartupProblem, match="could not be started"):
        process.run(["/nowhere/uv"], ENV, what="The installer")


def test_a_hanging_installer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LIMIT_SECONDS", 0.2)
    with pytest.raises(StartupProblem, match="longer than"):
        run("import time; time.sleep(60)")


def test_bytes_that_are_no_text_do_not_hide_the_failure() -> None:
    with pytest.raises(StartupProblem, match="exit code 1"):
        run("import sys; sys.stderr.buffer.write(b'\\xff\\xfe'); sys.exit(1)")


def test_a_hash_mismatch_is_not_buried_under_the_hashes() -> None:
    hashes = "".join(f"    sha256:{number:064x}\n        Expected     or {number:064x}\n" for number in range(50))
    said = process.last_words(f"Hash mismatch for `x`\n{hashes}Computed: y\n")
    assert said == "Hash mismatch for `x`\nComputed: y"
