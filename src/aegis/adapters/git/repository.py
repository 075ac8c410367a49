"""The Repository port over the `git` command.

Each call is one git process with a time limit. What the user's configuration, the environment or `.gitattributes`
could change about an answer is switched off: the result depends on the repository's content alone.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from aegis.adapters.process_group import running
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.core.ports.repository import Change, Entry, Line, Repository, Status

MAX_LINE: Final = 64 * 1024
"""Bytes kept of one matching line: a minified file may be one line of many megabytes."""
MAX_FILE: Final = 32 * 1024 * 1024
"""Bytes of the largest file that is read whole. Source is smaller; what is not is told, not skipped."""
TIMEOUT: Final = 120.0
"""Seconds for a local command: hundreds of times what a large repository needs."""
FETCH_TIMEOUT: Final = 180.0
"""Seconds for a command that talks to the remote."""

_CHUNK: Final = 1 << 20
_ARGUMENT_BYTES: Final = 100_000
"""Bytes of path arguments for one process; the least limit of a system in use is 128 KiB (Windows has less)."""
_KEPT_VARIABLES: Final = frozenset(
    # Where the user's configuration and keys are: `safe.directory`, proxies and credentials for `deepen`.
    {
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
    }
)
_SETTINGS: Final = (
    "core.fsmonitor=false",  # may name a program to run
    "core.quotePath=false",
    "diff.renameLimit=1000",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.prune=false",
    "fetch.writeCommitGraph=false",
    "submodule.recurse=false",
)
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_STATUSES: Final[dict[str, Status]] = {
    "A": "added",
    "C": "added",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "T": "type-changed",
    "U": "unmerged",
}
_GLOB_SPECIAL = re.compile(r"[][*?\\]")
_GREP_RECORD = re.compile(rb"([^\0]+)\0([0-9]+)\0([^\n]*)\n")
_LINK = re.compile(rb"(?:\A|(?<=\0))120000 [0-9a-f]+ [0-3]\t([^\0]+)\0")
_GREP_HEAD = re.compile(rb"([^\0]+)\0([0-9]+)\0")


def open_repository(path: Path, *, timeout: float = TIMEOUT) -> tuple[Repository, str]:
    """The repository that a folder lies in, and the folder's path in it (`""` for the root).

    Raises UsageError `core.no_repository`, or CouldNotDecide where git itself does not work.
    """
    if not path.is_dir():
        raise UsageError(
            "core.no_repository",
            f"got {str(path)!r}, which is not a folder",
            expected="a folder of a git work tree",
            remedy="name a folder of the repository",
        )
    folder = Path(os.path.realpath(path))
    top = GitRepository(folder, timeout).run("rev-parse", "--show-toplevel")
    root = Path(os.path.realpath(os.fsdecode(top.removesuffix(b"\n"))))
    if not (root / ".git").exists():
        # git takes any folder with HEAD, objects and refs for a repository, so a change could bring its own along: with
        # an index that hides files, and a config that runs programs. `.git` is the one name that no commit can hold.
        raise UsageError(
            "core.no_repository",
            f"got {str(path)!r}, whose repository has no `.git` in {str(root)!r}",
            expected="a folder of a git work tree that was cloned or checked out",
            remedy="take the files HEAD, config, objects and refs out of the folder: they make it a repository itself",
        )
    prefix = folder.relative_to(root).as_posix()
    return GitRepository(root, timeout), "" if prefix == "." else prefix


@dataclass(frozen=True, slots=True)
class GitRepository:
    """A work tree and the git command."""

    root: Path
    timeout: float = TIMEOUT

    def head(self) -> str | None:
        """See the port."""
        found = self.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", allowed=(0, 1))
        return found.decode().strip() or None

    def grep(
        self, *patterns: str, paths: Sequence[str] | None = None, suffixes: Sequence[str] | None = None
    ) -> list[Line]:
        """See the port."""
        flags = ("--no-color", "--no-column", "-a", "-P", "-n", "-z", "--no-recurse-submodules", "--no-textconv")
        kinds = [f":(top,glob)**/*{_GLOB_SPECIAL.sub(_quoted, suffix)}" for suffix in suffixes or ()]
        named = None if paths is None and suffixes is None else [f":(top,literal){path}" for path in paths or ()]
        found: list[Line] = []
        # One process a pattern: for several in one, git looks ahead for each of them from every hit to the file's end,
        # which is quadratic where one is frequent and another is not there.
        for pattern in patterns:
            for batch in _batches(None if named is None else [*kinds, *named]):
                arguments = ("grep", *flags, "-e", pattern, "--", *batch)
                with self._stream(arguments, allowed=(0, 1), quiet=False, magic=True) as output:
                    found.extend(_grep_lines(output))
        return found

    def entries(self, paths: Sequence[str] | None = None) -> list[Entry]:
        """See the port."""
        found: dict[str, Entry] = {}
        for batch in _batches(paths):
            listing = os.fsdecode(self.run("ls-files", "-s", "-v", "-z", "--", *batch))
            for record in listing.split("\0")[:-1]:
                entry = _entry(record)
                found.setdefault(entry.path, entry)
        return list(found.values())

    def links(self) -> list[str]:
        """See the port."""
        return [os.fsdecode(path) for path in _LINK.findall(self.run("ls-files", "-s", "-z"))]

    def read(self, path: str) -> bytes:
        """See the port."""
        try:
            return _read_inside(self.root, path)
        except OSError as error:
            raise _unreadable(path, error.strerror or "cannot be opened") from error
        except ValueError as error:  # a NUL byte, which no file name holds
            raise _unreadable(path, "it is no file name") from error

    def show(self, rev: str, path: str) -> bytes | None:
        """See the port."""
        return self.show_many(rev, (path,)).get(path)

    def show_many(self, rev: str, paths: Iterable[str]) -> Mapping[str, bytes]:
        """See the port."""
        commit = self._plain(rev)
        wanted = {path: f"{commit}:{self._from_root(path)}" for path in paths}
        names = [f"{commit}^{{commit}}", *wanted.values()]
        # Requests of one line each are understood by every git, but lose a carriage return at their end; NUL between
        # them needs 2.38 and is kept for odd names.
        odd = any("\n" in name or "\r" in name for name in names)
        end = "\0" if odd else "\n"
        request = os.fsencode("".join(name + end for name in names))
        arguments = ("cat-file", "--batch", "--buffer", *(("-z",) if odd else ()))
        with tempfile.TemporaryFile() as requests:
            requests.write(request)
            requests.seek(0)
            with self._stream(arguments, stdin=requests) as output:
                if _batch_object(output, names[0], rev) is None:
                    raise self._not_found(rev)
                contents = ((path, _batch_object(output, name, path)) for path, name in wanted.items())
                return {path: content for path, content in contents if content is not None}

    def _from_root(self, path: str) -> str:
        """The path as commits spell it.

        `ls-files` finds `a/./b`, `a/../b` and absolute paths, too, and no commit has them: spelt so, a file would seem
        to be new with the change.
        """
        name = os.path.normpath(path)
        name = os.path.relpath(name, self.root) if name.startswith("/") else name
        if name.split("/", 1)[0] == "..":
            raise _unreadable(path, "it leads out of the repository")
        return name

    def changed(self, base: str) -> list[Change]:
        """See the port."""
        flags = ("--raw", "-z", "-M", "--no-ext-diff", "--no-textconv", "--no-color")
        listing = self.run("diff", *flags, "--ignore-submodules=none", self.resolve(base), "--")
        fields = iter(os.fsdecode(listing).split("\0")[:-1])
        return [_change(record, fields) for record in fields]

    def resolve(self, rev: str) -> str:
        """See the port."""
        name = f"{self._plain(rev)}^{{commit}}"
        found = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", name, allowed=(0, 1, 128))
        commit = found.decode("ascii", "replace").strip()
        if not _OID.fullmatch(commit):
            raise self._not_found(rev)
        return commit

    def has_commit(self, sha: str) -> bool:
        """See the port."""
        try:
            return self.resolve(sha) == sha
        except CouldNotDecide as error:
            if error.code == "core.base_not_found":
                return False
            raise

    def parents(self, rev: str) -> tuple[str, ...]:
        """See the port."""
        # `rev-list --parents` hides the parents at a shallow clone's edge; the commit itself names them.
        content = self.run("cat-file", "commit", self.resolve(rev))
        header = content.partition(b"\n\n")[0].split(b"\n")
        return tuple(line[7:].decode("ascii") for line in header if line.startswith(b"parent "))

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """See the port."""
        first, second = self.resolve(ancestor), self.resolve(descendant)
        return first in self._merge_bases(first, second)

    def merge_bases(self, first: str, second: str) -> tuple[str, ...]:
        """See the port."""
        return self._merge_bases(self.resolve(first), self.resolve(second))

    def is_shallow(self) -> bool:
        """See the port."""
        return self.run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def deepen(self, revs: Sequence[str], depth: int = 1) -> None:
        """See the port."""
        for rev in revs:
            if not _OID.fullmatch(rev):
                raise self._not_found(rev)
        flags = ("--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--quiet", f"--depth={depth}")
        try:
            self.run("fetch", *flags, "origin", *revs, timeout=FETCH_TIMEOUT)
        except CouldNotDecide as error:
            raise CouldNotDecide(
                "core.shallow",
                f"commit {', '.join(revs)} is not in this clone, and fetching it failed: {error.problem}",
                expected="a clone with the history that the comparison needs, or a remote that gives it",
                remedy="set `fetch-depth: 0` in actions/checkout",
            ) from error

    def run(self, *arguments: str, allowed: Sequence[int] = (0,), timeout: float | None = None) -> bytes:
        """The whole output of one git command whose exit code is allowed."""
        with self._stream(arguments, allowed=allowed, timeout=timeout) as output:
            return output.read()

    def _merge_bases(self, first: str, second: str) -> tuple[str, ...]:
        return tuple(self.run("merge-base", "--all", first, second, allowed=(0, 1)).decode("ascii").split())

    def _plain(self, rev: str) -> str:
        """A revision that is no path in a commit and no second request."""
        if not rev or any(char in rev for char in "\0\n\r:"):
            raise self._not_found(rev)
        return rev

    def _not_found(self, rev: str) -> CouldNotDecide:
        return CouldNotDecide(
            "core.base_not_found",
            f"got revision {rev!r}, which names no commit of {self.root}",
            expected="a commit, branch or tag of this clone",
            remedy="fetch it (`fetch-depth: 0` in actions/checkout), or name another one",
        )

    @contextmanager
    def _stream(
        self,
        arguments: Sequence[str],
        *,
        allowed: Sequence[int] = (0,),
        stdin: IO[bytes] | None = None,
        timeout: float | None = None,
        quiet: bool = True,
        magic: bool = False,
    ) -> Iterator[IO[bytes]]:
        """Run git and hand out its output as it comes; what went wrong is known, and raised, at the end.

        Not `quiet`: an `error:` on its error output counts even where the exit code says nothing of it.
        """
        limit = timeout or self.timeout
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        pathspecs = "--noglob-pathspecs" if magic else "--literal-pathspecs"
        command = ["git", "--no-pager", pathspecs, *settings, *arguments]
        expired = threading.Event()
        with tempfile.TemporaryFile() as errors, _started(command, self.root, stdin, errors) as process:

            def stop() -> None:
                expired.set()
                process.kill()

            timer = threading.Timer(limit, stop)
            timer.daemon = True  # the interpreter would wait for one that a signal to stop left running
            trouble: CouldNotDecide | None = None
            try:
                timer.start()
                assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
                try:
                    with process.stdout:
                        yield process.stdout
                except CouldNotDecide as error:
                    # An answer that breaks off has its reason in how git ended; a reader who had enough closes the pipe
                    trouble = error
                code = process.wait()
            finally:
                timer.cancel()
            if expired.is_set():
                raise _failed(arguments, f"was stopped after {limit:g} s") from trouble
            if trouble is not None and code in (*allowed, -signal.SIGPIPE):
                raise trouble
            errors.seek(0)
            said = errors.read(64 * 1024).decode("utf-8", "replace").strip()
            if code not in allowed:
                raise _explain(arguments, code, said, self.root)
            if not quiet and (told := [line for line in said.splitlines() if line.startswith(("error:", "fatal:"))]):
                raise _unreadable(told[0], "git could not read it")


@contextmanager
def _started(
    command: list[str], root: Path, stdin: IO[bytes] | None, errors: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """git, until the block ends."""

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=root,
            env=_environment(),
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )

    with ExitStack() as stack:
        try:
            process = stack.enter_context(running(start))
        except FileNotFoundError as error:
            raise CouldNotDecide(
                "core.git_missing",
                f"could not start {command[0]!r} in {root}: {error.strerror}",
                expected="git 2.30 or newer on PATH",
                remedy="install git",
            ) from error
        except OSError as error:
            raise _failed(command[-1:], f"could not be started: {error.strerror}") from error
        except ValueError as error:  # a NUL byte in an argument
            raise _failed(["…"], f"could not be started: {error}") from error
        yield process


def _environment() -> dict[str, str]:
    """The process's own environment without what would redirect git, in the locale that matches byte by byte.

    Nor do the gate's inputs and secrets come along: git starts filters, hooks and login programs, and needs none of
    these itself.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_VARIABLES or not name.startswith(("GIT_", "AEGIS_"))
    }
    kept.pop("LANGUAGE", None)
    return kept | {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
    }


def _failed(arguments: Sequence[str], why: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.git_failed",
        f"`git {arguments[0]}` {why}",
        expected="an answer from git",
        remedy="run the command by hand and mend what it says, then run this again",
    )


def _explain(arguments: Sequence[str], code: int, said: str, root: Path) -> AegisError:
    if "dubious ownership" in said:
        return CouldNotDecide(
            "core.git_failed",
            f"git does not read {root}, because it belongs to another user",
            expected="a repository that belongs to the user of this process, or is marked as safe",
            remedy=f"run `git config --global --add safe.directory {root}` before this",
        )
    if "not a git repository" in said or "must be run in a work tree" in said:
        return UsageError(
            "core.no_repository",
            f"got {str(root)!r}, which is in no git work tree",
            expected="a folder of a git work tree",
            remedy="run it inside one (on GitHub: after actions/checkout)",
        )
    return _failed(arguments, f"ended with exit code {code}: {said[-500:] or 'it said nothing'}")


def _unreadable(what: str, why: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.unreadable_file",
        f"{what!r}: {why}",
        expected=f"a regular file of at most {MAX_FILE // 1024 // 1024} MiB inside the repository",
        remedy="check its permissions and links; what cannot be read cannot be called clean",
    )


def _quoted(special: re.Match[str]) -> str:
    """A character that a pathspec's glob would take for a wildcard."""
    return f"\\{special[0]}"


def _batches(paths: Sequence[str] | None) -> Iterator[Sequence[str]]:
    """Path arguments in portions that fit on a command line. None is one portion without paths: all of them."""
    if paths is None:
        yield ()
        return
    portion: list[str] = []
    size = 0
    for path in paths:
        length = len(os.fsencode(path)) + 1
        if portion and size + length > _ARGUMENT_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(path)
        size += length
    if portion:
        yield portion


def _grep_lines(output: IO[bytes]) -> Iterator[Line]:
    """Read `path NUL number NUL text LF` records; a path may hold line feeds and a text may hold NULs."""
    rest = b""
    while True:
        done = 0
        while record := _GREP_RECORD.match(rest, done):
            path, number, text = record.groups()
            yield Line(os.fsdecode(path), int(number), text[:MAX_LINE], len(text) > MAX_LINE)
            done = record.end()
        rest = rest[done:]
        head = _GREP_HEAD.match(rest)
        if head and len(rest) - head.end() > MAX_LINE:
            yield Line(os.fsdecode(head[1]), int(head[2]), rest[head.end() : head.end() + MAX_LINE], truncated=True)
            rest = _after_line(output)
        elif chunk := output.read(_CHUNK):
            rest += chunk
        else:
            break
    if rest:
        raise _failed(("grep",), "gave an answer that ends in the middle of a line")


def _after_line(output: IO[bytes]) -> bytes:
    """Skip the rest of a long line; what was read beyond it."""
    while chunk := output.read(_CHUNK):
        _, end, after = chunk.partition(b"\n")
        if end:
            return after
    raise _failed(("grep",), "gave an answer that ends in the middle of a line")


def _entry(record: str) -> Entry:
    """One record of `ls-files -s -v -z`: `tag mode oid stage TAB path`."""
    facts, _, path = record.partition("\t")
    tag, mode, oid, stage = facts.split(" ")
    return Entry(path, mode, oid, absent=tag in "Ss", assumed=tag.islower(), unmerged=stage != "0")


def _change(record: str, fields: Iterator[str]) -> Change:
    """One record of `diff --raw -z`: `:old-mode new-mode old-oid new-oid status`, and one or two paths."""
    old_mode, _, status = record[1:].partition(" ")
    status = status.rpartition(" ")[2]
    kind = _STATUSES.get(status[:1])
    if kind is None:
        raise _failed(("diff",), f"gave the unknown status {status!r}")
    old = next(fields, "")
    new = next(fields, "") if status[0] in "RC" else old
    if not new:
        raise _failed(("diff",), "gave an answer that ends in the middle of a record")
    return Change(new, None, kind) if kind == "added" else Change(new, old, kind, old_mode)


def _batch_object(output: IO[bytes], name: str, shown: str) -> bytes | None:
    """The next object of `cat-file --batch`; None if there is none of that name or it is a folder or a commit."""
    header = output.readline()
    # A name that is missing is repeated as it was asked for, and may hold line feeds.
    for _ in range(name.count("\n")):
        if not header.startswith(os.fsencode(name.split("\n", 1)[0])):
            break
        header += output.readline()
    if header.endswith(b" missing\n"):
        return None
    facts = header.rstrip(b"\n").split(b" ")
    if len(facts) != 3 or not facts[2].isdigit():
        raise _failed(("cat-file",), f"gave an answer that was not understood: {header[:200]!r}")
    size = int(facts[2])
    if size > MAX_FILE:
        raise _unreadable(shown, f"it has {size} bytes at that commit")
    content = output.read(size)
    if len(content) != size or output.read(1) != b"\n":
        raise _failed(("cat-file",), "gave an answer that ends in the middle of a file")
    return content if facts[1] in (b"blob", b"commit") else None


def _read_inside(root: Path, path: str) -> bytes:
    """Read a regular file whose real place is inside the work tree and outside its `.git`."""
    top = os.path.realpath(root)
    real = os.path.realpath(os.path.join(top, path), strict=True)  # noqa: PTH118 - a path may hold surrogates and `..`
    inside = Path(os.path.relpath(real, top)).parts
    if inside[:1] in ((os.pardir,), (".git",)):
        raise _unreadable(path, "it is a link to a place outside the work tree")
    # A pipe would block for ever without O_NONBLOCK; what was a file a moment ago may be a link now.
    handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise _unreadable(path, "it is no regular file")
        if facts.st_size > MAX_FILE:
            raise _unreadable(path, f"it has {facts.st_size} bytes")
        return file.read(MAX_FILE + 1)
