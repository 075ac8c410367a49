"""The file that holds what was seen of a rollout: one run at a time reads and writes it, whole or not at all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aegis.cli.canary.seal import SIZE, Seal
from aegis.cli.files import open_file, write
from aegis.core.errors import CouldNotDecide
from aegis.gates.canary.kept import MAX_BYTES


@dataclass(frozen=True, slots=True)
class StateFile:
    """A file that is ours alone until the block ends."""

    path: Path
    seal: Seal | None = None
    """In a workflow, whose cache others can write; None: the file is as private as its folder."""

    @classmethod
    @contextmanager
    def opened(cls, path: Path, seal: Seal | None = None) -> Iterator[StateFile]:
        """Lock it, by a file beside it that stays. Raises CouldNotDecide `canary.state_busy`, `canary.state_invalid`.

        A second run would go on from what the first one knew, and write over an abort that came meanwhile.
        """
        try:
            lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise CouldNotDecide(
                "core.output_unwritable",
                f"cannot write beside {str(path)!r}: {error.strerror}",
                expected="a folder that can be written",
                remedy="name another file by `--state`",
            ) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CouldNotDecide(
                    "canary.state_busy",
                    f"another run is using {str(path)!r}",
                    expected="one run at a time for a rollout",
                    remedy="wait for the other one, or look who started it",
                ) from error
            yield cls(path, seal)
        finally:
            os.close(lock)

    def read(self) -> bytes | None:
        """What was kept; None where nothing was yet. Raises CouldNotDecide where there is something unreadable."""
        try:
            with open_file(self.path) as file:
                kept = file.read(MAX_BYTES + 1 + SIZE)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CouldNotDecide(
                "canary.state_invalid",
                f"{str(self.path)!r} cannot be read: {error.strerror}",
                expected="the file that an earlier run of the same rollout wrote",
                remedy="restore the file, or abort the rollout and start another",
            ) from error

        if self.seal is None:
            return kept
        opened = self.seal.open(self.path.name, kept)
        if opened is None:
            raise forged(self.path)
        return opened

    def write(self, data: bytes) -> None:
        """Keep it. Raises CouldNotDecide."""
        write(self.path, data if self.seal is None else self.seal.close(self.path.name, data))


def forged(file: Path) -> CouldNotDecide:
    """The error for a state that this gate did not write, or with another key."""
    return CouldNotDecide(
        "canary.state_forged",
        f"the state {str(file)!r} is not sealed by this job's secret",
        expected="a file that an earlier run of this gate wrote, with the same AEGIS_STATE_KEY or kubeconfig",
        remedy="Look who wrote it, e.g. another job into the cache. After a change of the secret, say "
        "`without-state: begin`.",
    )
