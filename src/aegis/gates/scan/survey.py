"""Which uses there are: in the work tree now, and in the changed files as they were before.

Both sides go through one run of the engine. What could not be read is told beside the uses, never dropped.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.engine import Engine
from aegis.core.ports.repository import MODE_EXECUTABLE, Change, Entry, Line, Repository
from aegis.gates.scan.candidates import Candidate, candidates, prefilters, wanted_names
from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.classify import class_of
from aegis.gates.scan.extract.route import SUFFIXES, extractors_for, is_read
from aegis.gates.scan.model import Entry as CatalogueEntry
from aegis.gates.scan.model import Statement, Use

if TYPE_CHECKING:
    # Most changes have no candidate: they do not pay for what reads files and asks the engine.
    from aegis.gates.scan.match import Answer, Matched
    from aegis.gates.scan.read import FileReading
    from aegis.gates.scan.whole import Disagreement

_WORD = re.compile("[a-z0-9]+")
MANY_PATHSPECS = 200
"""How many git compares with every path before that takes longer than to read everything."""


@dataclass(frozen=True, slots=True)
class NotAnalysed:
    """A place that nobody may call clean."""

    path: str
    line: int | None
    why: str
    provider: str | None = None
    """Whose SDK may be imported here by name; None where anything may stand."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything found on one side of a change."""

    uses: tuple[Use, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    """Where two engines read a statement differently."""
    not_analysed: tuple[NotAnalysed, ...] = ()
    coverage: Mapping[str, int] = field(default_factory=dict)
    """How many files were tracked, held a candidate line, were read, were links or submodules."""


@dataclass(frozen=True, slots=True)
class Surveyor:
    """Reads a repository with one catalogue and one engine."""

    repository: Repository
    catalogue: Catalogue
    engine: Engine
    is_test: Callable[[str], bool]
    second_opinion: bool = False
    """Let a second engine read whole files too, and tell where it differs."""
    progress: Callable[[int, int], None] | None = None
    """Told how many of how many candidate files were read."""

    def tree(self, paths: Sequence[str] | None = None) -> Survey:
        """Survey what git tracks in the work tree, or what of it lies under `paths`."""
        now, missing, coverage = self._read_tree(paths)
        if not now:
            return Survey(not_analysed=tuple(missing), coverage=coverage)
        answer = self._ask(now, [])
        return self._survey("now", now, answer, missing, coverage)

    def change(self, base: str, changes: Sequence[Change]) -> tuple[Survey, Survey]:
        """Survey the changed files as they were at `base`, and as they are now."""
        paths = [c.path for c in changes if not c.deleted]
        now, missing, coverage = self._read_tree([*paths, *self._links_to(paths)])
        if not now:
            return Survey(), Survey(not_analysed=tuple(missing), coverage=coverage)
        from aegis.gates.scan.whole import WholeReader

        # The old side is there to explain what is used now: the same files before, and others with such a name.
        by_name = WholeReader(self.catalogue).imports_by_name
        same = {reading.path for reading in now if reading.statements or by_name(reading)}
        before = {c.old_path: c.path in same for c in changes if c.old_path and _reads(c.old_path, c.old_mode)}
        old = self._read_base(base, before, _words(now))
        answer = self._ask(now, old)
        return self._survey("old", old, answer, [], {}), self._survey("now", now, answer, missing, coverage)

    def _read_tree(self, paths: Sequence[str] | None) -> tuple[list[FileReading], list[NotAnalysed], dict[str, int]]:
        entries = self.repository.entries(paths)
        odd = [e for e in entries if e.absent or e.symlink or e.submodule]
        regular = {e.path for e in entries}.difference(e.path for e in odd)
        targets = {e.path: target for e in odd if e.symlink and (target := self._target(e.path))}
        tracked = regular | self._tracked(set(targets.values()) - regular)
        readable = {e.path for e in entries if self._may_be_read(e)} & regular
        missing = list(self._unreachable(odd, readable, targets, tracked))
        links = self._of_another_kind(targets, tracked)
        readable |= links.keys()
        lines = self._grep(readable, paths, links.keys())
        found = candidates(lines, self.catalogue) if lines else []
        if self.second_opinion:
            # Also what the look at single lines passed over.
            known = {candidate.path for candidate in found}
            found += [Candidate(path, None) for path in sorted({line.path for line in lines} - known)]
        # git searches its index, and not the work tree, for a file that it was told to assume unchanged.
        found += [Candidate(e.path, None) for e in entries if e.assumed and e.path in readable]
        names = {one.path: (*[one.path][: one.path in regular], *links.get(one.path, ())) for one in found}
        readings = list(self._readings(found, names, missing)) if found else []
        read = sum(1 for reading in readings if reading.source is not None)
        coverage = {"tracked": len(entries), "candidates": len(found), "read": read}
        coverage["links"] = sum(1 for e in odd if e.symlink)
        coverage["submodules"] = sum(1 for e in odd if e.submodule)
        return readings, missing, coverage

    def _readings(
        self, found: Sequence[Candidate], names: Mapping[str, Iterable[str]], missing: list[NotAnalysed]
    ) -> Iterable[FileReading]:
        """What the candidates say under each of their names; those that cannot be read go to `missing`."""
        from aegis.gates.scan.read import read_file

        wanted = wanted_names(self.catalogue)
        for number, candidate in enumerate(found):
            if self.progress:
                self.progress(number, len(found))
            try:
                data = self.repository.read(candidate.path)
            except CouldNotDecide as error:
                missing.append(NotAnalysed(candidate.path, None, error.problem))
                continue
            for name in names[candidate.path]:
                yield read_file(name, data, wanted, candidate.last_line)

    @staticmethod
    def _may_be_read(entry: Entry) -> bool:
        return _reads(entry.path, entry.mode)

    def _grep(self, readable: AbstractSet[str], paths: Sequence[str] | None, others: Iterable[str]) -> list[Line]:
        """The candidate lines of the files that some extractor may read."""
        patterns = prefilters(self.catalogue)
        if paths is not None:
            few = len(readable) <= MANY_PATHSPECS
            lines = self.repository.grep(*patterns, paths=sorted(readable) if few else [*paths, *others])
        else:
            names = {path.rpartition("/")[2] for path in readable}
            kinds = {suffix if (suffix := name[name.rfind(".") :]) in SUFFIXES else name for name in names}
            few = len(kinds) <= MANY_PATHSPECS
            lines = self.repository.grep(*patterns, suffixes=sorted(kinds) if few else None)
        return [line for line in lines if line.path in readable]

    def _unreachable(
        self, odd: Iterable[Entry], readable: Iterable[str], targets: Mapping[str, str], tracked: AbstractSet[str]
    ) -> Iterable[NotAnalysed]:
        for entry in odd:
            if entry.submodule:
                yield NotAnalysed(entry.path, None, "a submodule: another repository's files, which need a scan there")
            elif entry.absent and is_read(entry.path):
                yield NotAnalysed(entry.path, None, "left out of this checkout (sparse checkout or skip-worktree)")
            elif entry.symlink and (why := self._link_problem(entry.path, targets.get(entry.path), tracked)):
                yield NotAnalysed(entry.path, None, why)
        for path in readable:
            if self._is_something_else(path):
                yield NotAnalysed(path, None, "git tracks a file, but what stands there is none")

    def _is_something_else(self, path: str) -> bool:
        """Whether a pipe, a folder or the like stands where git tracks a file: git passes over it in silence."""
        try:
            return not stat.S_ISREG(os.lstat(f"{self.repository.root}/{path}").st_mode)
        except OSError:
            return False

    def _tracked(self, paths: Collection[str]) -> set[str]:
        """Those of the paths at which git tracks a file."""
        found = self.repository.entries(sorted(paths)) if paths else []
        return {e.path for e in found if e.path in paths and not (e.symlink or e.submodule or e.absent)}

    def _links_to(self, paths: Sequence[str]) -> list[str]:
        """Links that stayed as they were and lead to one of the files: what that now says is said by them too."""
        changed = set(paths)
        return [link for link in self.repository.links() if link not in changed and self._target(link) in changed]

    def _of_another_kind(self, targets: Mapping[str, str], tracked: AbstractSet[str]) -> dict[str, list[str]]:
        """The links by the tracked file that they lead to, where their name makes another kind of file of it.

        Test code, too: under a name outside of the tests it is what runs in production.
        """
        found: dict[str, list[str]] = {}
        for link, target in targets.items():
            if target not in tracked or not is_read(link):
                continue
            if extractors_for(link, "") != extractors_for(target, "") or self._leaves_tests(link, target):
                found.setdefault(target, []).append(link)
        return found

    def _leaves_tests(self, link: str, target: str) -> bool:
        return self.is_test(target) and not self.is_test(link)

    def _target(self, link: str) -> str | None:
        """The file or folder in this checkout that a link leads to; None if there is none."""
        try:
            target = (self.repository.root / link).resolve(strict=True)
            return target.relative_to(self.repository.root.resolve()).as_posix()
        except (OSError, RuntimeError, ValueError):
            return None

    def _link_problem(self, path: str, target: str | None, tracked: AbstractSet[str]) -> str | None:
        """Why a link's target is not scanned under its own name; None if it is, or if nothing would read it."""
        if target is None:
            to_folder = (self.repository.root / path).is_dir()
            return "a symbolic link to something outside of this checkout" if to_folder or is_read(path) else None
        if (self.repository.root / target).is_dir():
            # what lies below is read under the folder's own name alone; any file of code tells what that makes of it
            if self._leaves_tests(f"{path}/x.py", f"{target}/x.py"):
                return f"a symbolic link from outside of the tests to {target}, whose code counts as tests"
            return None
        if target in tracked:
            return None
        return f"a symbolic link to {target}, which git does not track" if is_read(path) else None

    def _read_base(self, base: str, paths: Mapping[str, bool], words: Collection[bytes]) -> list[FileReading]:
        """What the files said before: those that are marked, and those that hold one of the words."""
        from aegis.gates.scan.read import read_file

        def holds(data: bytes) -> bool:
            known = data.lower()
            return any(word in known for word in words)

        wanted = wanted_names(self.catalogue)
        blobs = self.repository.show_many(base, paths)
        return [read_file(path, data, wanted) for path, data in sorted(blobs.items()) if paths[path] or holds(data)]

    def _ask(self, now: Sequence[FileReading], old: Sequence[FileReading]) -> Answer:
        statements = (s for reading in (*now, *old) for s in reading.statements)
        from aegis.gates.scan.match import match
        from aegis.gates.scan.whole import WholeReader

        reader = WholeReader(self.catalogue)
        files = reader.choose(now, side="now", every=self.second_opinion) + reader.choose(old, side="old", every=False)
        return match(statements, self.catalogue, self.engine, files)

    def _survey(
        self,
        side: str,
        readings: Sequence[FileReading],
        answer: Answer,
        missing: Sequence[NotAnalysed],
        coverage: Mapping[str, int],
    ) -> Survey:
        from aegis.gates.scan.whole import Disagreement, dynamic_statements, second_opinions

        uses: list[Use] = []
        disagreements: list[Disagreement] = []
        not_analysed = list(missing)
        for reading in readings:
            found = [(s, m) for s in reading.statements if (m := answer.matched.get(s))]
            for statement, matched in found:
                if matched.only:
                    place = (reading.path, statement.line, matched.entry.provider)
                    disagreements.append(Disagreement(*place, matched.only))
                if _counts(statement, matched, found):
                    uses.append(self._use(reading.path, statement, matched.entry))
            not_analysed += [NotAnalysed(reading.path, each.line, each.why) for each in reading.unreadable]
            if why := self._unread_as_a_whole(reading, answer.unread.get(f"{side}:{reading.path}")):
                not_analysed.append(NotAnalysed(reading.path, None, f"it imports by name, and {why}"))
        for path, statement, entry in dynamic_statements(answer, readings, side=side, catalogue=self.catalogue):
            uses.append(self._use(path, statement, entry))
        not_analysed += self._unexplained(readings, uses)
        if self.second_opinion:
            disagreements += second_opinions(answer, readings, side=side, catalogue=self.catalogue)
        return Survey(tuple(uses), tuple(disagreements), tuple(not_analysed), coverage)

    def _unread_as_a_whole(self, reading: FileReading, problem: str | None) -> str | None:
        """Why nobody knows what a file imports by name; None where it does not, or was read for it."""
        from aegis.gates.scan.whole import MAX_WHOLE, WholeReader

        reader = WholeReader(self.catalogue)
        if problem is not None:
            return f"semgrep could not read it: {problem}" if reader.imports_by_name(reading) else None
        return f"it has more than {MAX_WHOLE} characters" if reader.too_large(reading) else None

    def _unexplained(self, readings: Iterable[FileReading], uses: Iterable[Use]) -> Iterable[NotAnalysed]:
        from aegis.gates.scan.whole import WholeReader

        known: dict[str, set[str]] = {}
        for use in uses:
            known.setdefault(use.path, set()).add(use.entry.provider)
        reader = WholeReader(self.catalogue)
        for reading in readings:
            for line, name, provider in reader.unexplained(reading, known.get(reading.path, ())):
                why = f"it imports by a name known at run time only, and holds {name!r}"
                yield NotAnalysed(reading.path, line, why, provider)

    def _use(self, path: str, statement: Statement, entry: CatalogueEntry) -> Use:
        return Use(path, statement, entry, class_of(statement, entry, in_test=self.is_test(path)))


def _reads(path: str, mode: str) -> bool:
    """Whether a file of this name and mode is read: a permission to be run can make a script of it."""
    return is_read(path, executable=mode == MODE_EXECUTABLE)


def _words(readings: Iterable[FileReading]) -> set[bytes]:
    """The first word of each name, in lower case: without one of them a file holds none of the names."""
    found = (_WORD.search(statement.name.lower()) for reading in readings for statement in reading.statements)
    return {word[0].encode() if word else b"" for word in found}


def _counts(statement: Statement, matched: Matched, here: Sequence[tuple[Statement, Matched]]) -> bool:
    """Whether a match is a use. Some entries only count beside others of their provider in the same file."""
    provider = matched.entry.provider
    if matched.entry.kind == "shared":
        return any(m.entry.provider == provider and m.entry.kind != "shared" and s.form != "scheme" for s, m in here)
    if statement.form == "scheme":
        return any(m.entry.provider == provider and m.entry.kind == "wrapper" and s.form != "scheme" for s, m in here)
    return True
