"""The tests' own PostgreSQL: the oldest and the newest major run, are killed and come back, and ask for a password."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.databases.postgres import majors, running


@pytest.mark.parametrize("major", [min(majors()), max(majors())])
def test_a_major_runs_and_keeps_what_is_durable(major: int) -> None:
    with running(major, durable=True) as server:
        name = server.new_database()
        with psycopg.connect(server.url(name)) as connection:
            assert connection.info.server_version // 10000 == major
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        server.kill()
        server.start()
        with psycopg.connect(server.socket_url(name)) as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url(name, password="wrong"))
    assert not server.folder.exists()
