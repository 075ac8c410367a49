"""What the tests of the log in PostgreSQL share."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis.adapters.postgres.audit_log import PostgresLog
from aegis.audit.bundle import entries_of
from aegis.audit.entry import prepare, this_producer
from aegis.audit.event import Event, Resource
from aegis.audit.group_commit import Ticket
from aegis.audit.keys import SigningKey, signing_key, verifier_of
from aegis.audit.log import Source
from aegis.audit.tree import read_bundle
from aegis.core.actor import Actor
from aegis_multimodal_ai_system.database import open_database

ORIGIN = "aegis.example/audit/test"
ACTOR = Actor(id="process:test", kind="process", display="test", issuer="local", subject="test")


@functools.cache
def key(number: int = 0) -> SigningKey:
    return signing_key(Ed25519PrivateKey.from_private_bytes(bytes([number + 1]) * 32))


VERIFIER = verifier_of(key(), ORIGIN)


def event(name: str = "classifier") -> Event:
    return Event(
        action="model.load.verified", actor=ACTOR, resource=Resource(kind="model", name=name), outcome="success"
    )


def with_tables(url: str) -> str:
    database = open_database(url)
    database.migrate()
    database.close()
    return url


@contextmanager
def opened(url: str) -> Iterator[PostgresLog]:
    log = PostgresLog(url, ORIGIN, key())
    try:
        yield log
    finally:
        log.close()


def append_many(log: PostgresLog, count: int, name: str = "bulk") -> None:
    """In one commit, as if as many threads had come at once."""
    tickets = [Ticket(prepare(event(f"{name}-{number}"), this_producer())) for number in range(count)]
    log._commit(tickets)
    assert all(ticket.receipt is not None for ticket in tickets)


def entries_in(source: Source, size: int) -> Sequence[bytes]:
    found: list[bytes] = []
    for number in range((size + 255) // 256):
        found += entries_of(read_bundle(source, number, min(256, size - number * 256)))
    return found[:size]


def as_owner(url: str, *statements: str, values: Sequence[Any] = ()) -> None:
    """What somebody does who may do all: triggers do not run for them."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in statements:
            connection.execute(cast("Any", statement), values or None)
