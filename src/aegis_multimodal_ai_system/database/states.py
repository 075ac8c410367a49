"""The states of models in the database; each step is one transaction on one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from aegis_multimodal_ai_system.database import rules
from aegis_multimodal_ai_system.database.rules import ModelState
from aegis_multimodal_ai_system.database.tables import MODEL_STATES as TABLE


class ModelStates:
    """The states of all models. Every call raises CouldNotDecide `runtime.states_unavailable` where it cannot tell."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Connection]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`transaction` gives a connection in one that is committed where the block ends well."""
        self._transaction = transaction
        self._clock = clock

    def get(self, name: str) -> ModelState | None:
        """None of a model that was never looked at."""
        with self._transaction() as connection:
            return _state(connection.execute(select(TABLE).where(TABLE.c.name == name)).mappings().first())

    def all(self) -> Sequence[ModelState]:
        """By name."""
        with self._transaction() as connection:
            rows = connection.execute(select(TABLE).order_by(TABLE.c.name)).mappings().all()
        return [ModelState(**row) for row in rows]

    def mark_verified(self, name: str, digest: str, version: str | None, signer: str) -> ModelState:
        """A load has verified it. What now stands: quarantined and revoked stay what they are.

        Raises Refused `verify.rollback` of a version below one that was loaded before, also just now by another
        process, and `verify.version_reused` of the same version with another digest.
        """
        return self._step(name, rules.Verified(digest, version, signer))

    def mark_unverified(self, name: str, reason: str, digest: str | None = None) -> ModelState:
        """A load has refused it; quarantined and revoked stay what they are."""
        return self._step(name, rules.NotVerified(reason, digest))

    def quarantine(self, name: str, reason: str) -> ModelState:
        """Take it out of service. Raises Refused `runtime.transition_refused` of what is revoked."""
        return self._step(name, rules.Quarantine(reason))

    def release(self, name: str) -> ModelState:
        """Give it back to the loader. Raises Refused `runtime.transition_refused` of what is not in quarantine."""
        return self._step(name, rules.Release())

    def revoke(self, name: str, reason: str) -> ModelState:
        """Take it out of service for ever."""
        return self._step(name, rules.Revoke(reason))

    def _step(self, name: str, step: rules.Step) -> ModelState:
        with self._transaction() as connection:
            # The row stays locked until the end, so that nobody decides on a state that another is changing.
            # SQLite has no such lock and needs none: its transactions are one after the other.
            locked = select(TABLE).where(TABLE.c.name == name).with_for_update()
            row = connection.execute(locked).mappings().first()
            if row is None:
                made = rules.after(None, step, name=name, now=self._clock())
                try:
                    with connection.begin_nested():
                        connection.execute(insert(TABLE).values(**asdict(made)))
                    return made
                except IntegrityError:  # somebody else was faster
                    row = connection.execute(locked).mappings().one()
            before = ModelState(**row)
            state = rules.after(before, step, name=name, now=self._clock())
            if state != before:
                connection.execute(update(TABLE).where(TABLE.c.name == name).values(**asdict(state)))
            return state


def _state(row: Mapping[Any, Any] | None) -> ModelState | None:
    return None if row is None else ModelState(**row)
