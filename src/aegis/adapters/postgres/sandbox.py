"""Where programs run that read a dump: what a dump says may be a program of somebody else's.

An archive of pg_dump is SQL that runs as superuser when it is restored (`COPY … FROM PROGRAM` is enough), and the
programs that read it have had faults of their own (CVE-2024-7348, CVE-2025-8714, CVE-2025-8715). So whatever reads one
gets a view of the machine with system libraries (read-only) and the folders that it was given, no network (not even
loopback), no other processes, no capabilities, none of our environment, and a limit of memory:

- `root`: namespaces by our own privilege; inside, the user 65534;
- `user`: the same through a user namespace, where the kernel lets an ordinary user make one;
- `plain`: where neither works (most containers without privileges). The environment is clean and root becomes 65534,
  but files and network are those of the machine: `isolated` is false, and the report has to say so.

All ends when the handle is closed, or when our own process is gone: a shell outside waits on a pipe that only we hold,
kills the namespace's first process, and with it the kernel ends all others; then it removes the folder to wipe.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Final, Literal

Kind = Literal["root", "user", "plain"]

NOBODY: Final = 65534
"""The user inside: it owns nothing, and every system has it (Linux's overflow id)."""
MEMORY: Final = 4 << 30
"""Bytes of address space of each process. PostgreSQL's own needs are far less, a hostile function's are endless."""
_PROBE_TIMEOUT: Final = 60.0
"""Seconds; what takes longer counts as not there, and less is isolated. Usually it takes some milliseconds."""
_END_TIMEOUT: Final = 20.0
"""Seconds in which the kernel ends processes and a folder of many files is removed."""
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache")
"""What programs need to start; of `/etc` nothing else, since root's files of it (`shadow`) have owners of their own."""
_ENDS_POSTGRES: Final = "TERM QUIT"
"""Of a server, the second makes it and its children leave at once; the first is for whatever runs before it."""
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_OUTSIDE: Final = r"""
exec 3<&0 </dev/null
signals=$1 wipe=$2
shift 2
"$@" 3<&- &
child=$!
{ cat <&3; for signal in $signals; do kill "-$signal" $child; done; } >/dev/null 2>&1 &
watcher=$!
status=0
wait $child || status=$?
kill -KILL $watcher # the number of what has ended may be given to another
if [ -n "$wipe" ]; then
    for try in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf -- "$wipe" 2>/dev/null && break
        sleep 0.1
    done
fi
exit $status
"""
"""Ends the command when its input does. The last of a namespace's processes may still write a file meanwhile."""

_INSIDE: Final = r"""
set -eu
kind=$1 memory=$2
shift 2
if [ "$kind" != plain ]; then
    new=/sys # any folder that exists everywhere and has nothing that is shown inside
    mount -t tmpfs -o mode=0755,nosuid,nodev none $new
    while [ "$1" != -- ]; do
        if [ -d "$2" ]; then mkdir -p "$new$2"; else mkdir -p "$new${2%/*}"; : >"$new$2"; fi
        mount --bind "$2" "$new$2"
        [ "$1" = rw ] || mount -o "remount,bind,$1" "$new$2"
        shift 2
    done
    for name in bin sbin lib lib32 lib64 libx32; do
        [ ! -L /$name ] || ln -s "$(readlink /$name)" $new/$name
    done
    mkdir -p $new/dev/shm $new/etc $new/old
    ln -s old/proc $new/proc # for umount, just below; afterwards it leads nowhere
    mount -t tmpfs -o mode=1777,size=1g,nosuid,nodev none $new/dev/shm
    echo 'engine:x:65534:65534::/:/bin/false' >$new/etc/passwd
    mount -o remount,bind,ro,nosuid,nodev $new
    cd $new
    pivot_root . old
    umount -n -l /old
    cd /
else
    while [ "$1" != -- ]; do shift 2; done
fi
shift
ulimit -v "$memory"
ulimit -c 0
case $kind in
    root) set -- --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all -- "$@" ;;
    user) set -- --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- "$@" ;;
    plain) [ "$(id -u)" != 0 ] || set -- --reuid=65534 --regid=65534 --clear-groups -- "$@" ;;
esac
set -- setpriv --no-new-privs "$@"
[ "$kind" != plain ] || exec "$@"
status=0
"$@" || status=$?
exit $status
"""
"""Makes the view, leaves the old root, and runs the command without any privilege.

It stays as the first process of a namespace: the kernel's order to end it with its parent is void for one that changes
its user (prctl(2), PR_SET_PDEATHSIG).
"""


class Running:
    """A program in the sandbox. It ends with `close`, or with our process."""

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int) -> None:
        self._process = process
        self._lifeline: int | None = lifeline

    def poll(self) -> int | None:
        """Its exit status, if it has ended by itself."""
        return self._process.poll()

    def wait(self, seconds: float) -> int:
        """Its exit status. Raises subprocess.TimeoutExpired."""
        return self._process.wait(seconds)

    def close(self) -> None:
        """End it with all that it started, at once."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        try:
            self._process.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """How programs are started on this machine."""

    kind: Kind

    @property
    def isolated(self) -> bool:
        """Whether programs in it have no network and see no files of others."""
        return self.kind != "plain"

    @property
    def owner(self) -> int | None:
        """Who has to own the folders that programs write to; None where they run as ourselves."""
        return NOBODY if os.geteuid() == 0 and self.kind != "user" else None

    def start(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        read_only: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
        memory: int = MEMORY,
        wipe: Path | None = None,
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
    ) -> Running:
        """Run `command` with `folder` writable. `wipe`: a folder that goes when the program does.

        Paths are absolute and stay what they are. Raises OSError where the shell cannot be started.
        """
        shown = [word for path in read_only for word in (_read_only(path), str(path))]
        inside = ["sh", "-c", _INSIDE, "sandbox", self.kind, str(memory >> 10), *_system(), *shown]
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                [
                    *("sh", "-c", _OUTSIDE, "sandbox", "KILL" if self.isolated else _ENDS_POSTGRES, str(wipe or "")),
                    *_namespaces(self.kind), *inside, "rw", str(folder), "--", *command,
                ],
                stdin=reading, stdout=stdout, stderr=stderr, cwd="/",
                env={"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC", "TMPDIR": str(folder), **(environment or {})},
                start_new_session=True,  # what ends us by the terminal is not to end it before we say so
            )  # fmt: skip
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        return Running(process, writing)


@cache
def best() -> Sandbox:
    """The strictest that works here, tried once."""
    kinds: tuple[Kind, ...] = ("root", "user") if os.geteuid() == 0 else ("user",)
    for kind in kinds:
        sandbox = Sandbox(kind)
        if _works(sandbox):
            return sandbox
    return Sandbox("plain")


def _works(sandbox: Sandbox) -> bool:
    running = sandbox.start(["true"], folder=Path("/dev/shm"))  # noqa: S108 - `true` writes nothing
    try:
        return running.wait(_PROBE_TIMEOUT) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        running.close()


def _namespaces(kind: Kind) -> list[str]:
    if kind == "plain":
        return []
    mapped = ("--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--keep-caps") if kind == "user" else ()
    return ["unshare", *mapped, "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--"]


def _system() -> list[str]:
    places = [Path(name) for name in _SYSTEM if Path(name).exists() and not Path(name).is_symlink()]
    words = [word for place in places for word in (_read_only(place), str(place))]
    return [*words, *(word for device in _DEVICES for word in ("rw", device))]


def _read_only(path: Path) -> str:
    """The options of its mount, and `ro`: a user namespace may add to those that it was given, never take away."""
    flags = os.statvfs(path).f_flag
    kept = {
        os.ST_NOEXEC: "noexec",
        os.ST_NOATIME: "noatime",
        os.ST_NODIRATIME: "nodiratime",
        os.ST_RELATIME: "relatime",
    }
    return ",".join(["ro", "nosuid", "nodev", *(word for flag, word in kept.items() if flags & flag)])
