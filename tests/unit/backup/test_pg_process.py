"""What a program of PostgreSQL gets to see, what it is told, and that it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.postgres.process import Child, started
from aegis.core.errors import AegisError, CouldNotDecide
from tests.support.backup.fake_programs import fake

PASSWORD = "hunter2:with\\colon"
URL = "postgresql://me:hunter2%3Awith%5Ccolon@db.example:5433/shop?sslmode=require&passfile=/home/me/other"


def run(folder: Path, script: str, url: str | None = URL, **environ: str) -> Child:
    tools = fake(folder / "bin", script)
    with started(
        tools, "pg_dump", ["--format=custom"], url=url, environ={"PATH": os.environ["PATH"], **environ}
    ) as child:
        child.check(300)
    return child


def test_the_password_is_only_in_the_file_that_libpq_reads(tmp_path: Path) -> None:
    run(tmp_path, f'env > {tmp_path}/env; echo "$@" > {tmp_path}/argv; cat "$PGPASSFILE" > {tmp_path}/file;'
        f'stat -Lc %a "$PGPASSFILE" > {tmp_path}/mode')  # fmt: skip
    assert (tmp_path / "file").read_text() == "*:*:*:*:hunter2\\:with\\\\colon\n"
    assert (tmp_path / "mode").read_text() == "600\n"
    told = (tmp_path / "env").read_text() + (tmp_path / "argv").read_text()
    assert "hunter2" not in told
    argv = (tmp_path / "argv").read_text()
    assert argv.startswith("--format=custom --no-password --dbname=")
    assert all(word in argv for word in ("user=me", "host=db.example", "port=5433", "dbname=shop", "sslmode=require"))
    assert "passfile" not in argv


def test_one_from_the_surroundings_goes_the_same_way(tmp_path: Path) -> None:
    run(
        tmp_path,
        f'env > {tmp_path}/env; cat "$PGPASSFILE" > {tmp_path}/file',
        "postgresql://db/shop",
        PGPASSWORD="s3cret",
    )
    assert (tmp_path / "file").read_text() == "*:*:*:*:s3cret\n"
    assert "s3cret" not in (tmp_path / "env").read_text()


def test_without_a_password_the_users_own_file_counts(tmp_path: Path) -> None:
    run(tmp_path, f"env > {tmp_path}/env", "postgresql://db/shop", PGPASSFILE="/home/me/.pgpass")
    assert "PGPASSFILE=/home/me/.pgpass\n" in (tmp_path / "env").read_text()


def test_nothing_else_of_the_surroundings_comes_along(tmp_path: Path) -> None:
    given = {
        "AWS_SECRET_ACCESS_KEY": "a", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "b", "LD_PRELOAD": "", "PGOPTIONS": "-c x=1",
        "PGPASSWORD": "c", "LC_ALL": "de_DE", "PGSSLMODE": "verify-full", "PGHOST": "h", "PGHOSTADDR": "192.0.2.66",
        "PGSERVICE": "live", "PGSYSCONFDIR": "/elsewhere", "PGUSER": "me", "PGTZ": "Asia/Tokyo",
    }  # fmt: skip
    run(tmp_path, f"env > {tmp_path}/env", None, **given)
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {"PATH", "PGSSLMODE", "PGUSER", "LC_ALL", "TZ"}
    assert "LC_ALL=C\n" in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://db/shop", "--dbname=dbname=shop host=db"),
        ("postgresql://db/shop?options=-c%20x.y%3D1", "--dbname=dbname=shop host=db options='-c x.y=1 -c a=0 -c b=0'"),
    ],
)
def test_settings_of_its_sessions_stand_beside_those_of_the_address(tmp_path: Path, url: str, said: str) -> None:
    tools = fake(tmp_path / "bin", f'echo "$PGOPTIONS" >{tmp_path}/env; echo "$@" >{tmp_path}/argv')
    given = {"PATH": os.environ["PATH"], "PGOPTIONS": "-c x=1"}
    with started(tools, "pg_dump", [], url=url, settings="-c a=0 -c b=0", environ=given) as child:
        child.check(300)
    assert (tmp_path / "env").read_text() == "-c a=0 -c b=0\n"
    assert sorted((tmp_path / "argv").read_text().split()) == sorted(f"--no-password {said}".split())


@pytest.mark.parametrize("url", ["postgresql://me:a%0Ab@db/x", "postgresql://me@db/x?sslpassword=hunter2", "mysql://a"])
def test_what_cannot_be_told_safely_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(AegisError) as caught:
        run(tmp_path, "exit 0", url)
    assert caught.value.code == "runtime.database_url_invalid"
    assert "hunter2" not in str(caught.value)


def test_what_it_said_is_told_without_the_password(tmp_path: Path) -> None:
    script = (
        f"echo 'pg_dump: warning: w' >&2; echo 'pg_dump: error: for \"{PASSWORD}\"\a no' >&2; echo hint >&2; exit 3"
    )
    with pytest.raises(CouldNotDecide) as caught:
        run(tmp_path, script.replace("\\", "\\\\"))
    assert caught.value.code == "backup_check.dump_failed"
    assert caught.value.problem == 'pg_dump failed with exit code 3: pg_dump: error: for "***"  no'


@pytest.mark.parametrize(("password", "shown"), [("p", False), ("abc", False), ("abcd", True), ("", True)])
def test_a_short_password_is_not_struck_out_of_its_words(tmp_path: Path, password: str, shown: bool) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        run(tmp_path, "echo 'pg_dump: error: no' >&2; exit 3", f"postgresql://me:{password}@db/x")
    hidden = "its words are not shown beside so short a password"
    assert caught.value.problem == f"pg_dump failed with exit code 3: {'pg_dump: error: no' if shown else hidden}"


def test_a_flood_of_words_is_cut(tmp_path: Path) -> None:
    with pytest.raises(CouldNotDecide) as caught:
        run(tmp_path, "yes 'pg_dump: error: no' | head -c 3000000 >&2; head -c 9000 /dev/zero | tr '\\0' x >&2; exit 1")
    assert len(caught.value.problem) < 600


def test_one_that_was_killed(tmp_path: Path) -> None:
    with pytest.raises(CouldNotDecide, match="was ended by SIGKILL: it said nothing"):
        run(tmp_path, "kill -9 $$")


def test_one_that_does_not_start(tmp_path: Path) -> None:
    tools = fake(tmp_path / "bin", "exit 0")
    tools.program("pg_dump").unlink()
    with pytest.raises(CouldNotDecide) as caught, started(tools, "pg_dump", []):
        pass
    assert caught.value.code == "backup_check.dump_failed"


@pytest.mark.parametrize("script", ["sleep 100 & sleep 100", "trap '' TERM; sleep 100 & while :; do sleep 1; done"])
def test_at_the_end_of_the_block_it_and_its_children_are_gone(tmp_path: Path, script: str) -> None:
    tools = fake(
        tmp_path / "bin",
        f"{script.replace('&', f'& echo $! > {tmp_path}/child; mv {tmp_path}/child {tmp_path}/pid;', 1)}",
    )
    with started(tools, "pg_dump", []) as child:
        while not (tmp_path / "pid").exists():
            assert child.process.poll() is None
            time.sleep(0.01)
    assert child.process.returncode is not None
    assert gone(int((tmp_path / "pid").read_text()))


def gone(pid: int) -> bool:
    """Whether a process that was killed is away: nobody may have waited for it yet."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_a_signal_that_comes_while_it_is_started_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    popen, begun = subprocess.Popen, []

    def told_to_stop(*arguments: Any, **wishes: Any) -> subprocess.Popen[bytes]:
        begun.append(popen(*arguments, **wishes))
        signal.raise_signal(signal.SIGTERM)
        return begun[0]

    tools = fake(tmp_path / "bin", "exec sleep 1000")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    monkeypatch.setattr(subprocess, "Popen", told_to_stop)
    with pytest.raises(KeyboardInterrupt), started(tools, "pg_dump", []):
        pytest.fail("it goes on")
    assert begun[0].returncode == -signal.SIGTERM


def test_one_that_never_ends(tmp_path: Path) -> None:
    tools = fake(tmp_path / "bin", "exec sleep 100")
    with pytest.raises(CouldNotDecide) as caught, started(tools, "pg_dump", []) as child:
        child.check(0.05)
    assert caught.value.code == "backup_check.dump_stalled"


def test_repr_and_fields_hold_no_password(tmp_path: Path) -> None:
    child = run(tmp_path, "exit 0")
    assert "hunter2" not in repr(child)
    assert "hunter2" not in subprocess.list2cmdline(map(str, child.process.args))  # type: ignore[arg-type]
