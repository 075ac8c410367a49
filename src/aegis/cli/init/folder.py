"""The repository that `aegis init` writes to: what is there, and the writing of whole files inside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.adapters.git.repository import GitRepository, open_repository
from aegis.cli import files
from aegis.core.errors import CouldNotDecide, Refused, UsageError
from aegis.scaffold import codeowners, record
from aegis.scaffold.changes import Change, State
from aegis.scaffold.choices import Choices

if TYPE_CHECKING:
    from aegis.adapters.git.consumer import Known

_MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class InitFolder:
    """One repository."""

    repository: GitRepository

    @classmethod
    def of(cls, path: Path) -> InitFolder:
        """The repository that a folder lies in. UsageError `core.no_repository`."""
        root = open_repository(path)[0].root
        return cls(GitRepository(root))

    def known(self) -> Known:
        """What git knows."""
        from aegis.adapters.git import consumer as git_consumer

        return git_consumer.known(self.repository)

    def merged(self, mine: str, base: str, new: str) -> str | None:
        """Git's three-way merge."""
        from aegis.adapters.git import consumer as git_consumer

        return git_consumer.merged(self.repository, mine, base, new)

    def record(self) -> record.Record | None:
        """Of the last writing; None before the first."""
        data = self._read(record.PATH)
        return record.load(data) if data is not None else None

    def codeowners(self) -> str:
        """Where that file is, or would be."""
        return next((place for place in codeowners.PLACES if self._read(place) is not None), codeowners.PLACES[0])

    def present(self, paths: Iterable[str]) -> dict[str, str]:
        """The texts that are there; of CODEOWNERS our own lines."""
        found = {path: self._text(path) for path in paths}
        return {path: text for path, text in found.items() if text is not None}

    def write(self, changes: Iterable[Change], choices: Choices) -> None:
        """All of it, the record last: until it stands, a second run does the same again."""
        written, kept = {}, set()
        for change in changes:
            if change.written is not None:
                written[change.path] = change.written
            if change.state is State.KEPT:
                kept.add(change.path)
            if change.after != change.before:
                self._put(change.path, change.after)
        self._put(record.PATH, record.dump(record.Record(choices, written, frozenset(kept))))

    def _text(self, path: str) -> str | None:
        data = self._read(path)
        if data is None:
            return None
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _unreadable(path, "it is not UTF-8") from error
        return codeowners.own_lines(text) if path in codeowners.PLACES else text

    def _read(self, path: str) -> bytes | None:
        place = self._inside(path)
        if not place.exists() and not place.is_symlink():
            return None
        files.refuse_other_than_file(place)
        try:
            with place.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise _unreadable(path, error.strerror or "it cannot be opened") from error
        if len(data) > _MAX_BYTES:
            raise _unreadable(path, f"it has more than {_MAX_BYTES} bytes")
        return data

    def _put(self, path: str, text: str | None) -> None:
        place = self._inside(path)
        if path in codeowners.PLACES:
            data = self._read(path)
            text = codeowners.with_own_lines(data.decode("utf-8") if data else None, text)
        if text is None:
            place.unlink(missing_ok=True)
            return
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CouldNotDecide(
                "core.output_unwritable",
                f"cannot make the folder of {path!r}: {error.strerror}",
                expected="a repository that can be written",
                remedy="Check its permissions.",
            ) from error
        files.write(place, text.encode("utf-8"))

    def _inside(self, path: str) -> Path:
        """Where it lies, if no folder before it leads out of the repository. Refused `init.outside`."""
        place = self.repository.root / path
        named = Path(path)
        leads_out = named.is_absolute() or ".." in named.parts  # joined to the root, these would name another place
        if leads_out or files.real(place.parent) != self.repository.root / named.parent:
            raise Refused(
                "init.outside",
                f"{path!r} {'is no path of the repository' if leads_out else 'lies in a folder that is a link'}",
                expected="folders of the repository",
                remedy="Replace the link by a folder.",
            )
        return place


def _unreadable(path: str, why: str) -> UsageError:
    return UsageError(
        "init.value_invalid",
        f"{path!r} cannot be read: {why}",
        expected="a text file",
        remedy="Move it away, or mend it.",
    )
