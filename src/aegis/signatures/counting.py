"""How many different signers stand behind an artifact.

A threshold is worth as much as the independence of those that are counted: one key under two names, one identity with
two certificates, or one log entry shown twice are one signer (GHSA-9vcr-p3rj-q5q6, GHSA-fphv-w9fq-2525).
"""

from __future__ import annotations

from collections.abc import Sequence

from aegis.signatures.types import SignedBy

Held = tuple[int, SignedBy]
"""Which signer of the policy (by position) accepts which signature."""


def different_signers(held: Sequence[Held]) -> tuple[SignedBy, ...]:
    """As many of these as are by different signers of the policy and by different people, in the policy's order.

    Each position counts once, and each person, who is whatever shares a key, an identity or a log entry. This is a
    largest matching between both (augmenting paths), so that it does not depend on the order of signatures.
    """
    people = _people([signed for _, signed in held])
    chosen: dict[int, int] = {}  # person: index in held
    for position in dict.fromkeys(position for position, _ in held):
        _assign(position, held, people, chosen, set())
    return tuple(held[at][1] for at in sorted(chosen.values(), key=lambda at: held[at][0]))


def _assign(position: int, held: Sequence[Held], people: list[int], chosen: dict[int, int], seen: set[int]) -> bool:
    """Find a person for a position, moving others that have one to another where that helps."""
    for at, (other, _) in enumerate(held):
        person = people[at]
        if other != position or person in seen:
            continue
        seen.add(person)
        if person not in chosen or _assign(held[chosen[person]][0], held, people, chosen, seen):
            chosen[person] = at
            return True
    return False


def _people(signatures: Sequence[SignedBy]) -> list[int]:
    """A number for each signature, the same for those that share a mark with each other, also by way of a third."""
    people = list(range(len(signatures)))
    first: dict[tuple[str, ...], int] = {}
    for at, signed in enumerate(signatures):
        for mark in _marks(signed):
            known = people[first.setdefault(mark, at)]
            people = [known if person == people[at] else person for person in people]
    return people


def _marks(signed: SignedBy) -> list[tuple[str, ...]]:
    marks: list[tuple[str, ...]] = [("key", signed.key)]
    if signed.identity is not None:
        marks.append(("identity", signed.identity, signed.issuer or ""))
    if signed.log is not None:
        marks.append(("log", signed.log))
    return marks
