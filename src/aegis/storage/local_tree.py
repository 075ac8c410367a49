"""A folder as an artifact: regular files only, each with one name, reached without following a link.

Every step goes through the descriptor of the folder above it (`openat`), so nothing that is exchanged meanwhile can
lead elsewhere. What cannot be read is an error, never left out.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aegis.core.errors import CouldNotDecide, Refused
from aegis.storage import faults

MAX_FILES = 100_000
"""Files and folders of one artifact; ten times what the largest models have."""
MAX_DEPTH = 64
"""Folders in one another; each one is an open descriptor."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe that was put in the file's place must not hold us up before it is seen.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """One file, or a folder."""

    name: str
    """Relative to where the walk began, with forward slashes; of a folder with one at its end."""
    stat: os.stat_result
    empty: bool = False
    """A folder with nothing in it."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.name.endswith("/")


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """The descriptor of a folder that a user named; links on the way to it, and itself, are the user's own."""
    with _told(str(path)):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def walk(root: int, where: str) -> Iterator[Found]:
    """Everything below a folder's descriptor, folders before what is in them, each folder's names in order.

    `Refused`: `verify.symlink`, `verify.hard_link`, `verify.special_file`, `verify.name_not_text`,
    `verify.folder_too_deep`. `CouldNotDecide`: `verify.unreadable`, `verify.too_many_objects`. `where` is for messages.
    """
    for count, found in enumerate(_walk(root, "", where, MAX_DEPTH), start=1):
        if count > MAX_FILES:
            raise faults.too_many(where, MAX_FILES)
        yield found


def folders(root: int, where: str) -> tuple[str, ...]:
    """The names of the folders in a folder's descriptor, in order. `Refused` for links, as in `walk`."""
    found = []
    with _told(where):
        names = sorted(os.listdir(root))
    if len(names) > MAX_FILES:
        raise faults.too_many(where, MAX_FILES)
    for name in names:
        check_text(name, where)
        about = _look(root, name, f"{where}/{name}")
        if stat.S_ISDIR(about.st_mode):
            found.append(name)
        else:
            check_file(about, f"{where}/{name}")
    return tuple(found)


def _walk(folder: int, prefix: str, where: str, depth: int) -> Iterator[Found]:
    if depth == 0:
        raise Refused(
            "verify.folder_too_deep",
            f"{where}/{prefix} is nested too deep",
            expected=f"at most {MAX_DEPTH} folders in one another",
            remedy="Put the files into fewer folders.",
        )
    with _told(f"{where}/{prefix}"):
        names = sorted(os.listdir(folder))
    for name in names:
        path = prefix + name
        check_text(path, where)
        about = _look(folder, name, f"{where}/{path}")
        if not stat.S_ISDIR(about.st_mode):
            check_file(about, f"{where}/{path}")
            yield Found(path, about)
            continue
        inner = _open(folder, name, about, f"{where}/{path}")
        try:
            with _told(f"{where}/{path}"), os.scandir(inner) as entries:
                empty = next(entries, None) is None
            yield Found(f"{path}/", about, empty)
            yield from _walk(inner, f"{path}/", where, depth - 1)
        finally:
            os.close(inner)


@contextmanager
def open_below(root: int, name: str, where: str) -> Iterator[int]:
    """The descriptor of a regular file, or of a folder where the name ends in `/`, below a folder's descriptor.

    No link is followed on the way. `CouldNotDecide` `verify.store_missing` where there is none.
    """
    is_folder = name.endswith("/") or not name
    parts = name.removesuffix("/").split("/") if name else []
    if {"", ".", ".."} & set(parts) or "\0" in name:
        raise unsafe_name(name, where)
    check_text(name, where)
    current = os.dup(root)
    try:
        for number, part in enumerate(parts, start=1):
            about = _look(current, part, f"{where}/{name}")
            if number == len(parts) and not is_folder:
                check_file(about, f"{where}/{name}")
            elif not stat.S_ISDIR(about.st_mode):
                check_file(about, f"{where}/{name}")
                raise faults.missing(f"{where}/{name}", "there is a file where a folder is meant")
            following = _open(current, part, about, f"{where}/{name}")
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def _look(folder: int, name: str, where: str) -> os.stat_result:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        raise unreadable(where, error) from error


def _open(folder: int, name: str, about: os.stat_result, where: str) -> int:
    """Open what was looked at, and nothing that was put in its place since."""
    flags = _FOLDER if stat.S_ISDIR(about.st_mode) else _FILE
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENOENT}:
            raise changed(where) from error
        raise unreadable(where, error) from error
    if _identity(os.fstat(descriptor)) != _identity(about):
        os.close(descriptor)
        raise changed(where)
    return descriptor


def check_file(about: os.stat_result, where: str) -> None:
    """Refuse what is no regular file with one name."""
    mode = about.st_mode
    if stat.S_ISLNK(mode):
        raise _refused("verify.symlink", f"{where} is a symbolic link", "Replace the link by the file itself.")
    if not stat.S_ISREG(mode):
        raise _refused("verify.special_file", f"{where} is {_kind(mode)}", "Remove it from the artifact.")
    if about.st_nlink != 1:
        problem = f"{where} is one of {about.st_nlink} names of the same file"
        raise _refused("verify.hard_link", problem, "Copy the file, so that it has one name only.")


def check_text(name: str, where: str) -> None:
    """Refuse a name that is not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise _refused("verify.name_not_text", f"{where} has a file named {name!r}", "Rename it.") from error


def changed(where: str) -> Refused:
    """The error for what is no longer what it was when it was listed."""
    return Refused(
        "verify.file_changed",
        f"{where} changed while it was read",
        expected="files that nobody writes to",
        remedy="Stop whatever writes there and run it again; if nothing should, treat the machine as compromised.",
    )


def unsafe_name(name: str, where: str) -> Refused:
    """The error for a name that leads elsewhere."""
    return _refused("verify.unsafe_name", f"{where} has a file named {name[:200]!r}", "Rename it.")


def unreadable(where: str, error: OSError) -> CouldNotDecide:
    """What an error of the operating system means."""
    if error.errno == errno.ENOENT:
        return faults.missing(where)
    return CouldNotDecide(
        "verify.unreadable",
        f"{where}: {error.strerror or type(error).__name__}",
        expected="files and folders that can be read",
        remedy="Let the user of this run read every file and folder of the artifact.",
    )


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unreadable(where, error) from error


def _identity(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_dev, about.st_ino, stat.S_IFMT(about.st_mode)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "neither a file nor a folder")


def _refused(code: str, problem: str, remedy: str) -> Refused:
    return Refused(code, problem, expected="regular files, each with one name in UTF-8", remedy=remedy)
