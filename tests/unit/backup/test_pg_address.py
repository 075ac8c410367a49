"""Where an address leads: as its message says, and nowhere else."""

from __future__ import annotations

import pytest

from aegis.adapters.postgres.connection import parts, place_of
from aegis.core.errors import UsageError


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me:no@db.example/shop", "'shop' at db.example:5432"),
        ("postgres://me@db.example:5433/shop?hostaddr=192.0.2.7", "'shop' at db.example (192.0.2.7):5433"),
        ("postgresql://me@/shop?hostaddr=192.0.2.7", "'shop' at 192.0.2.7:5432"),
        ("postgresql://me@one:5433,two:5434/shop", "'shop' at one,two:5433,5434"),
        ("postgresql://one/shop?host=two&dbname=live", "'live' at two:5432"),
        ("postgresql+psycopg://me@db.example", "'me' at db.example:5432"),
        ("postgresql:///shop", "'shop' at /var/run/postgresql:5432"),
        ("postgresql:///shop?host=", "'shop' at /var/run/postgresql:5432"),
    ],
)
def test_messages_name_what_libpq_goes_to(url: str, place: str) -> None:
    assert place_of(url) == f"PostgreSQL {place}"


def test_without_a_host_all_programs_look_at_one_place() -> None:
    assert parts("postgresql:///shop") == {"dbname": "shop", "host": "/var/run/postgresql"}
    assert "host" not in parts("postgresql:///shop?hostaddr=192.0.2.7")


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("postgresql://me@db.example/shop", "PGHOSTADDR"),
        ("postgresql://me@db.example/shop", "PGPORT"),
        ("postgresql://me@db.example/shop", "PGSERVICE"),
        ("postgresql://me@db.example", "PGDATABASE"),
        ("postgresql://db.example", "PGUSER"),
        ("postgresql://me@/shop", "PGHOST"),
        ("postgresql://me@/shop?hostaddr=192.0.2.7", "PGHOST"),
    ],
)
def test_a_variable_that_leads_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch, url: str, variable: str) -> None:
    assert place_of(url)
    monkeypatch.setenv(variable, "")
    assert place_of(url)
    monkeypatch.setenv(variable, "hunter2")
    with pytest.raises(UsageError, match=f"^the variable {variable} would lead into another") as refused:
        parts(url)
    assert refused.value.remedy.startswith(f"unset {variable};")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "variable", "value"),
    [
        ("postgresql://me@db.example:5433/shop?hostaddr=192.0.2.7", "PGHOSTADDR", "192.0.2.66"),
        ("postgresql://me@db.example:5433/shop", "PGPORT", "1"),
        ("postgresql://me@db.example/shop", "PGPORT", "5432"),
        ("postgresql://me@db.example/shop", "PGHOST", "other"),
        ("postgresql://me@db.example/shop", "PGDATABASE", "other"),
        ("postgresql://db.example/shop", "PGUSER", "me"),
        ("postgresql:///shop", "PGHOST", "/var/run/postgresql"),
    ],
)
def test_one_that_changes_nothing_about_the_place_is_none_of_ours(
    monkeypatch: pytest.MonkeyPatch, url: str, variable: str, value: str
) -> None:
    before = place_of(url)
    monkeypatch.setenv(variable, value)
    assert place_of(url) == before


def test_a_service_of_a_file_is_no_place() -> None:
    with pytest.raises(UsageError, match="`service=` in the database's address would lead"):
        place_of("postgresql://db.example/shop?service=hunter2")
