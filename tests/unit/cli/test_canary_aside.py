"""Work that a process does not wait for: what it gives, and that the process ends without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from aegis.cli.canary.aside import aside

ENDLESS = """
import asyncio
import threading

from aegis.cli.canary.aside import aside

begun = threading.Event()

def work() -> None:
    begun.set()
    threading.Event().wait()

async def main() -> None:
    waiting = aside(work)
    await asyncio.to_thread(begun.wait)
    await asyncio.wait({waiting}, timeout=0)

asyncio.run(main())
print("the loop has ended")
"""


def test_what_it_gives_and_what_it_raises_is_told() -> None:
    async def ask() -> None:
        assert await aside(lambda: 7) == 7
        with pytest.raises(SystemExit):
            await aside(lambda: sys.exit(3))

    asyncio.run(ask())


def test_it_may_end_after_whoever_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, ended, faults = threading.Event(), threading.Event(), list[threading.ExceptHookArgs]()
    monkeypatch.setattr(threading, "excepthook", faults.append)
    threads: list[threading.Thread] = []

    def work() -> int:
        threads.append(threading.current_thread())
        ended.set()
        assert go_on.wait(60)
        return 7

    async def ask() -> None:
        waiting = asyncio.ensure_future(aside(work))
        assert await asyncio.to_thread(ended.wait, 60)
        waiting.cancel()

    asyncio.run(ask())
    go_on.set()
    threads[0].join(60)
    assert not threads[0].is_alive()
    assert faults == []


def test_a_process_ends_while_it_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", ENDLESS], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the loop has ended\n", "")
