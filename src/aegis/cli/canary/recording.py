"""A watch that is recorded: the file, and the store that notes what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from aegis.cli.canary.run import Judging
from aegis.core.errors import CouldNotDecide
from aegis.gates.canary.watching import Watched


def following(watched: Watched, share: float | None) -> Watched:
    """The same, with another share of the traffic for the canary; a recording notes it."""
    from aegis.gates.canary.recording import Recorder

    if isinstance(watched.metrics, Recorder):
        watched.metrics.weight(share)
    return replace(watched, weight=share)


@contextmanager
def recorded(judging: Judging, file: Path | None) -> Iterator[Judging]:
    """The same, with a store that notes every answer in a new file until the block ends; None: as it is.

    Raises CouldNotDecide `core.output_unwritable`, also for a file that is there: it may be another watch's.
    """
    if file is None:
        yield judging
        return
    from aegis.gates.canary.recording import Recorder

    try:
        # line by line, so that a watch that is killed leaves what it saw
        stream = file.open("x", encoding="ascii", buffering=1)
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot write a new file {str(file)!r}: {error.strerror}",
            expected="a name that is free, in a folder that can be written",
            remedy="name another file by `--record`",
        ) from error
    with stream:
        recorder = Recorder(judging.watched.metrics, stream.write, judging.sides)
        recorder.weight(judging.watched.weight)
        yield replace(judging, watched=replace(judging.watched, metrics=recorder))
