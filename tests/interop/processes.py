"""Servers of other people: started on free ports of loopback, awaited until they answer, ended by their own handles."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_READY_SECONDS = 60.0


@dataclass
class Running:
    """A server that answers."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            # a server that still waits for its clients' connections
            self.process.kill()
            self.process.wait(timeout=20)

    @property
    def said(self) -> str:
        """The end of its log, for whoever reads why a test failed."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-6000:]


def free_ports(number: int) -> list[int]:
    """Different ones: all of them are taken at once."""
    probes = [socket.socket() for _ in range(number)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def start(name: str, arguments: Sequence[str | Path], folder: Path, answers: str) -> tuple[Running, bytes]:
    """The server, and what it says at the address `answers` once it is ready."""
    log = folder / f"{name}.log"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with log.open("wb") as out:
        process = subprocess.Popen(arguments, cwd=folder, env=environment, stdout=out, stderr=out)
    running = Running(name, process, log)
    try:
        return running, _awaited(running, answers)
    except BaseException:
        running.stop()
        raise


def _awaited(running: Running, address: str) -> bytes:
    end = time.monotonic() + _READY_SECONDS
    while (content := _answer(address)) is None:
        assert running.process.poll() is None, f"{running.name} has ended\n{running.said}"
        assert time.monotonic() < end, f"nothing at {address}\n{running.said}"
        time.sleep(0.05)
    return content


def _answer(address: str) -> bytes | None:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            content: bytes = answer.read()
            return content
    except OSError:
        return None
