"""A pytest plug-in that keeps, of each reason code, what a test saw of it: the examples of docs/gallery.

`AEGIS_RECORD=DIR python -m pytest -p tests.support.pages.recorder tests/unit/audit` leaves a file a process in DIR,
which `scripts/record_gallery.py` reads. `AEGIS_RECORD_CODES` (with commas) runs only tests that name one of these. Only
what the program itself made is kept (not what a test wrote by hand), of tests that passed: verdicts with their
findings, errors, findings of the doctor, and what commands printed.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest

from aegis.core.codes import CODES
from aegis.core.errors import AegisError, UsageError
from aegis.core.verdict import Finding, Verdict
from aegis.scaffold.doctor import Weakness
from aegis.startup.problem import StartupProblem

ROOT = Path(__file__).resolve().parents[3]
SOURCE = str(ROOT / "src") + os.sep
FOLDER = "AEGIS_RECORD"
CODES_WANTED = "AEGIS_RECORD_CODES"
ABOUT_ALL = ("tests/unit/cli/test_explain", "tests/unit/core/test_codes", "tests/unit/pages")
"""Tests in which every code is named and none happens."""
_MADE_UP = ("tests/unit/core/test_merge", "tests/unit/core/test_verdict", "tests/unit/report")
_LINES = 12
"""That are kept before and after the one that names a code."""
_TRIED = 2
"""Tests that are run for one wanted code."""
_TRIED_OF_A_FILE = 12
"""The same where only the file names it, e.g. in a function that its tests share."""
_KEPT = 3
"""Examples that are kept of each code; the best is chosen when all processes have ended."""


@dataclass(slots=True)
class Seen:
    """What one test has made the program say."""

    verdicts: list[Verdict] = field(default_factory=list)
    errors: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Code and record: an error itself would keep alive whatever stands in its traceback."""
    weaknesses: list[Weakness] = field(default_factory=list)
    ours: set[int] = field(default_factory=set)
    """Ids of the findings that the program made; `held` keeps them alive."""
    held: list[Finding] = field(default_factory=list)
    printed: list[tuple[int | None, str]] = field(default_factory=list)
    """Exit code, where it is known, and text of what the program printed, in this process or as a child."""
    invented: set[tuple[str, str]] = field(default_factory=set)
    """Code and problem of errors that the test itself made."""


class Recorder:
    """Looks at what is constructed while a test runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen = Seen()
        self.best: dict[str, list[dict[str, Any]]] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out properties: an example must not depend on chance."""
        plain = [item for item in items if not getattr(getattr(item, "obj", None), "is_hypothesis_test", False)]
        plain = [item for item in plain if not item.nodeid.startswith(ABOUT_ALL)]
        wanted = os.environ.get(CODES_WANTED)
        kept = set(_naming(plain, wanted.split(","))) if wanted else set(plain)
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = [item for item in plain if item in kept]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.seen = Seen()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "call" and report.passed:
            self.seen.printed += [(None, text) for text in (report.capstdout, report.capstderr) if text]
            self._keep(item)
        return report

    def pytest_sessionfinish(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(example, sort_keys=True) for found in self.best.values() for example in found]
        (self.folder / f"{os.getpid()}.jsonl").write_text("\n".join([*lines, ""]), "utf-8")

    def _keep(self, item: pytest.Item) -> None:
        test, text = item.nodeid.partition("@")[0].partition("[")[0], _said(item)
        best: dict[str, dict[str, Any]] = {}
        for code, rank, size, example in _examples(self.seen):
            # what is handed to the renderers themselves is made up
            made_up = "verdict" in example and test.startswith(_MADE_UP)
            order = [made_up, not _names(text, code), *rank, not test.startswith("tests/integration"), size]
            if code not in best or order < best[code]["rank"]:
                best[code] = {"code": code, "rank": order, "test": test} | example
        for code, example in best.items():
            kept = self.best.setdefault(code, [])
            kept.append(example)
            kept.sort(key=lambda one: (one["rank"], one["test"], json.dumps(one, sort_keys=True)))
            del kept[_KEPT:]


def _naming(items: list[pytest.Item], wanted: list[str]) -> Iterator[pytest.Item]:
    """For each code the first tests that name it, in their text or in their parameters."""
    naming: dict[str, list[pytest.Item]] = {}
    for item in items:
        for word in set(_WORD.findall(_said(item))):
            naming.setdefault(word, []).append(item)
    for code in wanted:
        bare = code.partition(".")[2]
        named = [item for form in (code, bare, bare.replace("_", "-")) for item in naming.get(form, [])]
        yield from named[:_TRIED] or [item for item in items if code in _file(item.path)][:_TRIED_OF_A_FILE]


_WORD = re.compile(r"(?<![\w.])[a-z_-]+(?:\.[a-z_0-9]+)?(?![\w.])")


def _names(text: str, code: str) -> bool:
    bare = code.partition(".")[2]
    forms = {bare, bare.replace("_", "-")}  # the classes of use are written so in policies
    return code in text or any(
        mark in text for form in forms for mark in (f'"{form}"', f"'{form}'", f"[{form}", f"-{form}")
    )


def _examples(seen: Seen) -> Iterator[tuple[str, list[Any], int, dict[str, Any]]]:
    """Code, rank (smaller is better), size and record of everything that a test saw."""
    for verdict in seen.verdicts:
        codes = dict.fromkeys([finding.rule for finding in verdict.findings] + [verdict.reason])
        if any(id(finding) not in seen.ours for finding in verdict.findings) or _invented(verdict, seen):
            continue
        document = msgspec.to_builtins(verdict)
        document["policy"]["effective"] = {}
        for code in codes:
            if code in CODES:
                green = verdict.result == "pass"
                size = len(verdict.findings) + len(verdict.notices)
                yield code, [green, 0], size, {"verdict": document}
    for code, record in seen.errors:
        if code in CODES:
            yield code, [False, 1], 1, {"error": record}
    for finding in seen.held:
        if finding.rule in CODES and not _made_by_hand(finding, seen):
            yield finding.rule, [False, 1], 1, {"finding": msgspec.to_builtins(finding)}
    for weakness in seen.weaknesses:
        if weakness.code in CODES:
            yield weakness.code, [False, 1], 1, {"weakness": msgspec.to_builtins(weakness)}

    for code in CODES:
        for status, text in seen.printed:
            if re.search(rf"(?<![\w.]){re.escape(code)}(?![\w.])", text):
                yield code, [False, 2], len(text), {"printed": {"exit": status, "text": _around(text, code)}}


def _around(text: str, code: str) -> str:
    """At most some lines around the one that names the code."""
    lines = text.strip("\n").splitlines()
    place = next(number for number, line in enumerate(lines) if code in line)
    return "\n".join(lines[max(0, place - _LINES) : place + _LINES])


def _invented(verdict: Verdict, seen: Seen) -> bool:
    return any(_made_by_hand(finding, seen) for finding in verdict.findings)


def _made_by_hand(finding: Finding, seen: Seen) -> bool:
    """Whether it tells of an error that the test itself made."""
    return any(finding.rule == code and problem in finding.message for code, problem in seen.invented)


def _of_error(error: AegisError) -> dict[str, str]:
    kind = next(each.__name__ for each in type(error).__mro__ if each.__module__ == AegisError.__module__)
    return {"kind": kind, "problem": error.problem, "expected": error.expected, "remedy": error.remedy}


def _of_startup(problem: StartupProblem) -> dict[str, str]:
    """What goes wrong before anything is installed, in the same form."""
    kind = "UsageError" if problem.exit_code == UsageError.exit_code else "CouldNotDecide"
    return {"kind": kind, "problem": problem.problem, "expected": problem.expected, "remedy": problem.remedy}


def _said(item: pytest.Item) -> str:
    """A test's text, its parameters and its id."""
    return f"{_text(item)} {str(getattr(item, 'callspec', ''))[:10_000]} {item.nodeid}"


def _text(item: pytest.Item) -> str:
    return _source(getattr(item.obj, "__func__", item.obj)) if isinstance(item, pytest.Function) else ""


@functools.cache
def _file(path: Path) -> str:
    return path.read_text("utf-8")


@functools.cache
def _source(function: Callable[..., object]) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return ""


def _maker(made: object, frame: FrameType | None) -> str:
    """The file that constructs: past the object's own constructors, and past the standard library's `replace`."""
    while frame is not None and (
        frame.f_code.co_filename == __file__
        or frame.f_locals.get("self") is made
        or frame.f_code.co_filename.endswith("dataclasses.py")
    ):
        frame = frame.f_back
    return frame.f_code.co_filename if frame is not None else ""


def _watch(kind: type[Any], told: Callable[[Any, bool], None]) -> None:
    """Have every new object of a type told, and whether the program made it."""
    construct = kind.__init__

    @functools.wraps(construct)
    def constructing(self: Any, *given: Any, **named: Any) -> None:
        construct(self, *given, **named)
        told(self, _maker(self, sys._getframe(1)).startswith(SOURCE))

    kind.__init__ = constructing


def _watch_printing(recorder: Recorder) -> None:
    """Keep what children of the program print, and what it prints in this process where a test looks at that."""
    finished, read = subprocess.CompletedProcess.__init__, pytest.CaptureFixture.readouterr

    @functools.wraps(finished)
    def finishing(self: Any, args: Any, returncode: int, stdout: Any = None, stderr: Any = None) -> None:
        finished(self, args, returncode, stdout, stderr)
        for each in (stdout, stderr):
            text = each.decode("utf-8", "replace") if isinstance(each, bytes) else each
            if text and "aegis" in str(args):
                recorder.seen.printed.append((returncode, text))

    @functools.wraps(read)
    def reading(self: Any) -> Any:
        found = read(self)
        recorder.seen.printed += [(None, text) for text in (found.out, found.err) if isinstance(text, str) and text]
        return found

    subprocess.CompletedProcess.__init__ = finishing  # type: ignore[method-assign]
    pytest.CaptureFixture.readouterr = reading  # type: ignore[method-assign]


def pytest_configure(config: pytest.Config) -> None:
    """Begin, where a folder is named."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    recorder = Recorder(Path(folder))

    def error(made: AegisError, ours: bool) -> None:
        if ours:
            recorder.seen.errors.append((made.code, _of_error(made)))
        else:
            recorder.seen.invented.add((made.code, made.problem))

    def finding(made: Finding, ours: bool) -> None:
        if ours:
            recorder.seen.ours.add(id(made))
            recorder.seen.held.append(made)

    _watch(AegisError, error)
    _watch(
        StartupProblem, lambda made, ours: recorder.seen.errors.append((made.code, _of_startup(made))) if ours else None
    )
    _watch(Finding, finding)
    _watch(Verdict, lambda made, ours: recorder.seen.verdicts.append(made) if ours else None)
    _watch(Weakness, lambda made, ours: recorder.seen.weaknesses.append(made) if ours else None)
    _watch_printing(recorder)
    config.pluginmanager.register(recorder, "recorder of the gallery")
