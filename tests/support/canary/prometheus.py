"""A real Prometheus (Debian's package) for a test: its targets, its end, and its being slow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.programs.debian import program

READY_SECONDS = 120
"""Far more than it needs, on a machine with other work."""


@dataclass
class RealPrometheus:
    """One server with its data in a folder; it can be started again on both."""

    folder: Path
    port: int
    scrape_milliseconds: int = 200
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def scrape(self, targets: Sequence[tuple[int, Mapping[str, str]]]) -> None:
        """Have it scrape these ports, with these labels of a pod."""
        groups = [{"targets": [f"127.0.0.1:{port}"], "labels": dict(labels)} for port, labels in targets]
        # written beside and moved, since it reads the file as soon as it changes
        beside = self.folder / "targets.json.new"
        beside.write_text(json.dumps(groups))
        beside.rename(self.folder / "targets.json")

    def scrape_configs(self) -> list[dict[str, Any]]:
        """How it finds its targets: in the file that `scrape` writes."""
        found_in = {"files": [str(self.folder / "targets.json")], "refresh_interval": "1s"}
        return [{"job_name": "pods", "file_sd_configs": [found_in]}]

    def start(self) -> None:
        """Ready when it returns."""
        every = f"{self.scrape_milliseconds}ms"
        config = {
            "global": {"scrape_interval": every, "scrape_timeout": every},
            "scrape_configs": self.scrape_configs(),
        }
        (self.folder / "prometheus.json").write_text(json.dumps(config))
        with (self.folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(program("prometheus", "prometheus")),
                    f"--config.file={self.folder / 'prometheus.json'}",
                    f"--storage.tsdb.path={self.folder / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    # histories of a test are older than what it would keep
                    "--storage.tsdb.retention.time=100y",
                ],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"]},
                stdout=log,
                stderr=log,
            )
        self._await_ready()

    def kill(self) -> None:
        """As a node that is lost."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(timeout=60)
            self._process = None

    def halt(self) -> None:
        """Let it answer nothing until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End what `halt` began."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _await_ready(self) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        end = time.monotonic() + READY_SECONDS
        while True:
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "prometheus.log").read_text()
            try:
                opener.open(f"{self.url}/-/ready", timeout=5).close()
                return
            except OSError:
                assert time.monotonic() < end, (self.folder / "prometheus.log").read_text()
                time.sleep(0.05)


@contextmanager
def prometheus(folder: Path, port: int) -> Iterator[RealPrometheus]:
    """A server until the block ends. Its first targets are none."""
    server = RealPrometheus(folder, port)
    server.scrape([])
    server.start()
    try:
        yield server
    finally:
        server.kill()


def backfill(folder: Path, exposition: str) -> None:
    """Write a history (OpenMetrics with times) into a server's data, before it starts."""
    (folder / "history.txt").write_text(exposition)
    subprocess.run(
        [
            str(program("prometheus", "promtool")),
            *("tsdb", "create-blocks-from", "openmetrics"),
            str(folder / "history.txt"),
            str(folder / "tsdb"),
        ],
        check=True,
        timeout=300,
        capture_output=True,
    )
