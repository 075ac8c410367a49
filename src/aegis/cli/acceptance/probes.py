"""`aegis acceptance --mode local|staging`: every probe in turn, and the evidence, whatever happens."""

from __future__ import annotations

import argparse
import datetime
import hashlib
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final

from aegis.acceptance import evidence, files, kept, result
from aegis.acceptance.catalogue import Criterion, Fault, Mode, Probe, planted
from aegis.acceptance.judging import judged, not_run, stopped
from aegis.acceptance.result import Acceptance, Attempt, CatalogueUsed, CriterionResult
from aegis.acceptance.running import Probing, rfc3339
from aegis.adapters import probe_process
from aegis.adapters.git.state import tree_state
from aegis.cli.acceptance.asked import Asked, asked_for
from aegis.cli.acceptance.command import OUTPUT
from aegis.cli.acceptance.folder import evidence_folder
from aegis.cli.interruption import Stopped
from aegis.core.errors import AegisError, CouldNotDecide, UsageError, crashed
from aegis.core.tool import running_tool
from aegis.core.verdict import Tool
from aegis.report import acceptance_junit, acceptance_markdown, acceptance_page
from aegis.report.escape import terminal

_MOST_JOBS: Final = 4
"""Criteria at once: some start a cluster."""


def run(arguments: argparse.Namespace) -> int:
    """Run what was asked for; 0 only if each of it passed."""
    mode: Mode | None = arguments.mode
    if mode is None:
        raise UsageError(
            "core.wrong_usage",
            "no --mode",
            expected="--mode local, staging or plan; or the command `verify`",
            remedy="name one",
        )
    output: Path = Path(os.path.realpath(arguments.output or OUTPUT))
    asked = asked_for(arguments, staging=mode == "staging", without=output)
    plants = planted(asked.criteria, mode, arguments.plant)
    with evidence_folder(
        arguments.output or Path(OUTPUT), resume=arguments.resume, criteria=[one.id for one in asked.catalogue.criteria]
    ) as folder:
        session = _Session(asked, mode, plants, folder, arguments.resume)
        session.run(_jobs(arguments.jobs, mode))
        whole = session.conclude(arguments)
        evidence.seal(folder, whole, _pages(whole), asked.catalogue)
    print(terminal(whole.text))
    print(terminal(f"evidence: {folder}"))
    return result.exit_code(whole.result)


def _jobs(asked: int | None, mode: Mode) -> int:
    """Probes of local mode share nothing; those of staging may ask the same service."""
    if asked is None:
        return min(os.cpu_count() or 1, _MOST_JOBS) if mode == "local" else 1
    if not 1 <= asked <= _MOST_JOBS:
        raise UsageError(
            "core.wrong_usage",
            f"--jobs is {asked}",
            expected=f"1 to {_MOST_JOBS}",
            remedy="leave it out",
        )
    return asked


def _pages(whole: Acceptance) -> Mapping[str, bytes]:
    return {
        "summary.md": acceptance_markdown.render(whole).encode(),
        "junit.xml": acceptance_junit.render(whole),
        "index.html": acceptance_page.render(whole),
    }


@dataclass(slots=True)
class _Session:
    """One run while it goes on."""

    asked: Asked
    mode: Mode
    plants: Mapping[str, Fault]
    folder: Path
    resume: bool
    started: datetime.datetime = field(default_factory=lambda: _now())
    results: dict[str, CriterionResult] = field(default_factory=dict)
    end: AegisError | None = None
    """Why no more is looked at."""
    tool: Tool = field(default_factory=running_tool)

    def run(self, jobs: int) -> None:
        """Look at each criterion that was asked for, `jobs` at once; once stopped, at no more."""
        queue: SimpleQueue[Criterion] = SimpleQueue()
        for criterion in self.asked.criteria:
            queue.put(criterion)
        ended: SimpleQueue[None] = SimpleQueue()

        def work() -> None:
            with suppress(Empty):
                while True:
                    criterion = queue.get_nowait()
                    try:
                        self._one(criterion)
                    finally:
                        ended.put(None)

        # Not an executor's: a signal may leave the lock of a future taken, for which its threads would wait for ever.
        threads = [Thread(target=work, name="criterion", daemon=True) for _ in range(jobs)]
        try:
            for thread in threads:
                thread.start()
            for _ in self.asked.criteria:
                ended.get()
        except Stopped as signalled:
            self.end = signalled.reason
            for thread in threads:
                if thread.is_alive():
                    thread.join()

    def _one(self, criterion: Criterion) -> None:
        """One criterion; whatever happens, there is a result."""
        attempts: list[Attempt] = []
        try:
            if (end := self.end) is not None:
                found = not_run(criterion, self.mode, end.code, end.problem, end.remedy)
            else:
                found = self._look(criterion, attempts)
        except AegisError as error:
            found = stopped(criterion, self.mode, error, attempts)
        except Exception as error:
            found = stopped(criterion, self.mode, crashed(error), attempts)
        self.results[criterion.id] = found
        _tell(f"{found.id}: {found.status}{' (kept)' if found.kept else ''}: {found.reason}: {found.message}")

    def _look(self, criterion: Criterion, attempts: list[Attempt]) -> CriterionResult:
        probe = criterion.probe(self.mode)
        if probe is None:
            problem = f"the catalogue has no {self.mode} probe for it"
            return not_run(criterion, self.mode, "acceptance.precondition_missing", problem)
        key = self._key() if criterion.id not in self.plants else None
        if self.resume and (known := kept.kept(self.folder, key, criterion.id)) is not None:
            return known
        files.remove(self.folder / criterion.id)
        if missing := self.asked.missing(probe, os.environ):
            reason = "acceptance.precondition_missing"
            return not_run(criterion, self.mode, reason, "; ".join(missing), f"{'; '.join(missing)}.")
        found = self._probe(criterion, probe, attempts)
        self._check_tree()
        kept.keep(self.folder, key, found)
        return found

    def _probe(self, criterion: Criterion, probe: Probe, attempts: list[Attempt]) -> CriterionResult:
        probing = Probing(
            root=self.asked.tree.root,
            evidence=self.folder,
            environ=os.environ,
            python=sys.executable,
            run=partial(probe_process.run, stop=lambda: self.end is not None),
            now=_now,
            config=self.asked.config,
            secrets=self.asked.secrets,
        )
        for fault in (None, *probe.faults):
            if self.end is not None:
                raise self.end
            planted_here = self.plants.get(criterion.id) if fault is None else None
            attempt = probing.attempt(criterion, probe, fault=fault, planted=planted_here)
            attempts.append(attempt)
            _tell(f"{criterion.id} {attempt.name}: {attempt.result}: {attempt.reason}")
            if fault is None and attempt.result != "pass":
                break  # what is red already proves nothing more with a fault in it
        return judged(criterion, self.mode, attempts)

    def _check_tree(self) -> None:
        before = self.asked.tree
        now = tree_state(before.root, (self.folder,))
        if now != before:
            raise CouldNotDecide(
                "acceptance.tree_changed",
                f"the tree was {before.commit}{_and(before.uncommitted)}, and is {now.commit}{_and(now.uncommitted)}",
                expected="one tree for the whole run",
                remedy="run it again in a clone that nobody works in",
            )

    def _key(self) -> str | None:
        tree = self.asked.tree
        return kept.key_of(
            commit=tree.commit,
            uncommitted=tree.uncommitted,
            catalogue=self.asked.catalogue,
            mode=self.mode,
            config=self.asked.config_content,
            tool=self.tool.digest,
        )

    def conclude(self, arguments: argparse.Namespace) -> Acceptance:
        """The whole run."""
        every = tuple(self._result(criterion) for criterion in self.asked.catalogue.criteria)
        asked = tuple(one.id for one in self.asked.criteria)
        plants = tuple(f"{name}:{fault.name}" for name, fault in self.plants.items())
        tree, config = self.asked.tree, self.asked.config_content
        whole = Acceptance(
            mode=self.mode,
            asked=asked,
            planted=plants,
            commit=tree.commit,
            uncommitted=tree.uncommitted,
            catalogue=CatalogueUsed(origin=self.asked.catalogue.origin, sha256=self.asked.catalogue.sha256),
            config_sha256=hashlib.sha256(config).hexdigest() if config is not None else None,
            tool=self.tool,
            versions={"python": platform.python_version(), "system": platform.platform()},
            command=_command(arguments),
            started=rfc3339(self.started),
            finished=rfc3339(_now()),
            criteria=every,
            result=result.overall(every, asked),
            accepted=result.accepted(every, planted=plants, commit=tree.commit, uncommitted=tree.uncommitted),
            text="",
        )
        return replace(whole, text=result.said(whole))

    def _result(self, criterion: Criterion) -> CriterionResult:
        if criterion.id in self.results:
            return self.results[criterion.id]
        if (end := self.end) is not None and criterion in self.asked.criteria:
            # the signal came before its turn was taken down
            return not_run(criterion, self.mode, end.code, end.problem, end.remedy)
        return not_run(criterion, self.mode, "acceptance.not_asked", "it was left out by --only")


def _command(arguments: argparse.Namespace) -> str:
    words = ["aegis", "acceptance", "--mode", arguments.mode]
    words += [word for name in arguments.only for word in ("--only", name)]
    words += [word for name in arguments.plant for word in ("--plant", name)]
    return shlex.join(words)


def _and(uncommitted: bool) -> str:
    return " with uncommitted changes" if uncommitted else ""


def _tell(text: str) -> None:
    """Progress: on stderr, since stdout has the answer."""
    sys.stderr.write(f"{terminal(text)}\n")
    sys.stderr.flush()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
