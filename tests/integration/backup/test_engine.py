"""The throwaway PostgreSQL: what code in it can reach, and what is left of it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from aegis.adapters.postgres import sandbox as pg_sandbox
from aegis.adapters.postgres.connection import connect
from aegis.adapters.postgres.engine import Engine, running_engine
from aegis.adapters.postgres.sandbox import Kind, Sandbox, best
from aegis.core.errors import CouldNotDecide
from tests.support.databases.postgres import binaries, majors
from tests.support.processes.privileges import as_nobody

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 300.0
"""Seconds until what must happen has happened on a busy machine."""
ISOLATED: tuple[Kind, ...] = ("root", "user") if os.geteuid() == 0 else ("user",)
CREDENTIALS = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE", "OCI_CLI_KEY_CONTENT", "PGPASSWORD", "DATABASE_URL"),
)


def processes_with(text: str) -> list[int]:
    """Those that have it in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it has just ended
            continue
    return found


def eventually(true: Callable[[], bool]) -> bool:
    last = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > last:
            return False
        time.sleep(0.02)
    return True


def ask(engine: Engine, query: str) -> str:
    with connect(engine.url("postgres")) as connection:
        row = connection.execute(query.encode()).fetchone()
        return str(row[0]) if row else ""


def run_inside(engine: Engine, program: str) -> str:
    """What a program says that the dump's SQL starts in the server."""
    with connect(engine.url("postgres")) as connection:
        connection.execute("CREATE TEMP TABLE said (line text)")
        connection.execute(f"COPY said FROM PROGRAM $p${program}$p$ (DELIMITER E'\\x01')".encode())
        return "\n".join(line for (line,) in connection.execute("SELECT line FROM said"))


def reaching(server: socket.socket) -> str:
    """A program that connects to it."""
    return f"bash -c 'exec 4<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}' 2>&1 || true"


@pytest.fixture(scope="module", params=ISOLATED)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        for name in CREDENTIALS:
            patch.setenv(name, "hidden-value")
        with running_engine(binaries(), sandbox=Sandbox(request.param)) as engine:
            yield engine


@pytest.mark.parametrize("major", majors())
def test_each_major_starts_and_leaves_nothing(major: int) -> None:
    with running_engine(binaries(major)) as engine:
        assert ask(engine, "SHOW server_version_num").startswith(str(major))
        assert engine.major == major
        assert engine.alive()
        folder = engine.folder
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.parent.exists()
    assert eventually(lambda: not processes_with(str(folder)))


def test_programs_that_a_link_leads_to_are_found(tmp_path: Path) -> None:
    (tmp_path / "postgresql").symlink_to(binaries().parent)
    with running_engine(tmp_path / "postgresql" / "bin") as engine:
        assert engine.alive()


def test_this_machine_isolates() -> None:
    assert best().isolated


def test_the_user_inside_is_nobody_without_capabilities(engine: Engine) -> None:
    said = run_inside(engine, "id -u; setpriv -d")
    assert said.startswith("65534\n")
    assert "no_new_privs: 1" in said
    assert "Capability bounding set: [none]" in said
    assert "Supplementary groups: [none]" in said


@pytest.mark.parametrize("kind", [*ISOLATED, "plain"])
def test_nothing_inside_becomes_root_by_sudo(kind: Kind) -> None:
    """Hosted runners let their user be root without a password: `COPY … FROM PROGRAM 'sudo …'` is no way to it.

    https://www.kernel.org/doc/html/latest/userspace-api/no_new_privs.html
    """
    with running_engine(binaries(), sandbox=Sandbox(kind)) as engine:
        assert "no_new_privs: 1" in run_inside(engine, "setpriv -d")


def test_credentials_of_our_environment_are_not_inside(engine: Engine) -> None:
    said = run_inside(engine, "env")
    assert "TZ=UTC" in said
    assert "hidden-value" not in said
    assert all(name not in said for name in CREDENTIALS)


def test_our_own_process_cannot_be_looked_into(engine: Engine) -> None:
    """Its memory and environment hold the credentials of the store."""
    assert run_inside(engine, f"cat /proc/{os.getpid()}/environ 2>&1 || true").endswith("No such file or directory")
    assert run_inside(engine, "ls /proc/ 2>&1 || true").endswith("No such file or directory")


def test_files_of_others_are_neither_seen_nor_written(engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "credentials"
    secret.write_text("hidden-value", "utf-8")
    secret.chmod(0o666)
    for query in (f"SELECT pg_read_file('{secret}')", f"COPY (SELECT 1) TO '{secret}'", "COPY (SELECT 1) TO '/usr/x'"):
        with pytest.raises(psycopg.Error, match=r"could not open file|Read-only file system"):
            ask(engine, query)
    assert secret.read_text("utf-8") == "hidden-value"
    said = run_inside(engine, "ls -a / /etc; touch /x 2>&1 || true; mount -o remount,rw / 2>&1 || true")
    assert {"home", "work", "run", "shadow", "var"}.isdisjoint(said.split())
    assert "cannot touch '/x'" in said


def test_a_listener_of_this_machine_is_out_of_reach(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        said = run_inside(engine, reaching(server))
        assert "Network is unreachable" in said
        with pytest.raises(TimeoutError):
            server.accept()


def test_without_isolation_the_listener_is_reached_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The healthy twin of the test before it, and what `isolated` is for."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden-value")
    sandbox = Sandbox("plain")
    assert not sandbox.isolated
    with running_engine(binaries(), sandbox=sandbox) as engine, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        assert run_inside(engine, reaching(server)) == ""
        assert "AWS_SECRET" not in run_inside(engine, "env")
        server.accept()[0].close()


@pytest.mark.parametrize("kind", ISOLATED)
def test_processes_that_code_inside_leaves_behind_end_with_it(kind: Kind) -> None:
    """A daemon, in a session of its own, that is nobody's child."""
    mark = f"3{os.getpid()}{time.monotonic_ns() % 10**6}"
    with running_engine(binaries(), sandbox=Sandbox(kind)) as engine:
        run_inside(engine, f"setsid sleep {mark} >/dev/null 2>&1 </dev/null & echo")
        assert eventually(lambda: bool(processes_with(f"sleep\0{mark}")))
    assert eventually(lambda: not processes_with(f"sleep\0{mark}"))
    assert not engine.folder.parent.exists()


@pytest.mark.parametrize("kind", [*ISOLATED, "plain"])
def test_nothing_is_left_after_our_own_process_is_killed(kind: Kind) -> None:
    program = f"""
import sys
from pathlib import Path
from aegis.adapters.postgres.engine import running_engine
from aegis.adapters.postgres.sandbox import Sandbox
with running_engine(Path({str(binaries())!r}), sandbox=Sandbox({kind!r})) as engine:
    print(engine.folder, flush=True)
    sys.stdin.read()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    try:
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        assert (folder / "data" / "PG_VERSION").exists()
        child.send_signal(signal.SIGKILL)
        child.wait(PATIENCE)
        assert eventually(lambda: not folder.parent.exists())
        assert eventually(lambda: not processes_with(str(folder)))
    finally:
        child.kill()
        child.communicate()


def test_it_runs_for_an_ordinary_user(tmp_path: Path) -> None:
    installed = tmp_path / "postgresql"
    shutil.copytree(binaries().parent, installed, symlinks=True)

    def run() -> str:
        pg_sandbox.best.cache_clear()
        with running_engine(installed / "bin") as engine:
            folder = engine.folder
            told = [engine.sandbox.kind, ask(engine, "SELECT 'it ' || 'answers'"), run_inside(engine, "id -u; ls /")]
        return "\n".join([*told, str(folder.parent.exists())])

    try:
        kind, answers, uid, *root, exists = as_nobody(installed, run).split("\n")
    finally:
        pg_sandbox.best.cache_clear()
    assert (kind, answers, uid, exists) == ("user", "it answers", "65534", "False")
    assert "work" not in root


def test_a_function_that_asks_for_all_memory_gets_an_error() -> None:
    with running_engine(binaries(), memory=700 << 20) as engine:
        with pytest.raises(psycopg.Error, match="out of memory"):
            ask(engine, "SELECT array_agg(repeat('x', 200000000)) FROM generate_series(1, 5)")
        assert ask(engine, "SELECT 'it answers'") == "it answers"


def test_a_dead_server_is_seen() -> None:
    with running_engine(binaries()) as engine:
        with pytest.raises(psycopg.OperationalError):
            ask(engine, "SELECT pg_terminate_backend(pg_backend_pid()); SELECT 1")
        kill = "while [ ! -e go ]; do sleep 0.05; done; kill -9 $(head -1 postmaster.pid)"
        run_inside(engine, f"setsid sh -c '{kill}' >/dev/null 2>&1 & echo")
        (engine.folder / "data" / "go").touch()  # nobody asks it anything any more
        assert eventually(lambda: not engine.alive())


@pytest.mark.parametrize(
    ("settings", "told"), [({"shared_buffers": "none"}, "shared_buffers"), ({"no_such": "1"}, "no_such")]
)
def test_one_that_does_not_start_says_why(settings: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        with pytest.raises(CouldNotDecide, match=told) as caught, running_engine(binaries(), settings=settings):
            pass
        assert list(Path(folder).iterdir()) == []
    assert caught.value.code == "backup_check.engine_failed"


def test_one_that_does_not_answer_in_time_is_ended() -> None:
    # it listens under another name than the one that is asked
    elsewhere = {"port": "5433"}
    with (
        pytest.raises(CouldNotDecide, match="did not start"),
        running_engine(binaries(), settings=elsewhere, seconds=0),
    ):
        pass


def test_what_is_no_server_is_told(tmp_path: Path) -> None:
    with pytest.raises(CouldNotDecide, match="cannot be run: FileNotFoundError"), running_engine(tmp_path):
        pass
    (tmp_path / "postgres").write_text("#!/bin/sh\necho something else\n", "utf-8")
    (tmp_path / "postgres").chmod(0o755)
    with pytest.raises(CouldNotDecide, match="does not say its version: 'something else"), running_engine(tmp_path):
        pass


def test_a_folder_too_deep_for_a_socket_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(CouldNotDecide, match=r"has a path of \d+ bytes"), running_engine(binaries()):
        pass
    assert list(deep.iterdir()) == []
