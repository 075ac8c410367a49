"""Programs that end with us: each in a process group of its own, which is ended as a whole, also by our own SIGKILL."""

from __future__ import annotations

from typing import Final

from aegis.startup.children import completed, end_group, running

__all__ = ["WATCHED", "completed", "end_group", "running"]

WATCHED: Final = r"""
(trap '' HUP INT TERM; { read -r _; kill -KILL 0; } <"/proc/self/fd/$1" >/dev/null 2>&1 &)
shift
exec "$@"
"""
"""Becomes the program, which has beside it, in its group, what ends the group when the writing end of a pipe is gone.

That is no child of the program, which may wait for all of its own, and it holds neither what the program writes to nor
the other end. So SIGKILL, which lets us do nothing, ends the program and its workers too. Arguments of `sh -c`: a name,
the descriptor of the pipe's reading end, the program and its arguments.
"""
