"""What is kept between two looks, as one file: what was counted, and what it says.

Both are of the same look: apart, a run that ends between two writes would leave counts that are judged twice, or never.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.typed import convert
from aegis.gates.canary.plan import Plan
from aegis.gates.canary.samples.state import Counters
from aegis.gates.canary.state import State, resume, save
from aegis.signatures import strict_json

SCHEMA: Final = "aegis-canary-watch/v1"
MAX_BYTES: Final = 128 << 20


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    schema: Literal["aegis-canary-watch/v1"]
    looked: Annotated[float, Meta(ge=0, le=1e12)]
    counters: Any
    state: Any


@dataclass(frozen=True, slots=True)
class Kept:
    """All of a watch."""

    looked: float
    """When the last look was, Unix seconds of this machine: what has passed since then is all that is read from it."""
    counters: Counters
    state: State


def dump(kept: Kept) -> bytes:
    """As canonical JSON."""
    document = {
        "schema": SCHEMA,
        "looked": kept.looked,
        "counters": kept.counters.dump(),
        "state": msgspec.Raw(save(kept.state).strip()),
    }
    return msgspec.json.encode(document, order="sorted") + b"\n"


def load(plan: Plan, rollout: str, data: bytes) -> Kept:
    """Of what `dump` gave.

    Raises CouldNotDecide `canary.state_invalid`, `canary.state_other`, `canary.counters_invalid`.
    """
    try:
        read = convert(strict_json.parse(data, what="the saved state", limit=MAX_BYTES), _File)
    except (AegisError, msgspec.ValidationError, RecursionError) as error:
        raise CouldNotDecide(
            "canary.state_invalid",
            f"the saved state is not one: {error.problem if isinstance(error, AegisError) else error}",
            expected="the file that an earlier run of the same rollout wrote",
            remedy="restore the file; without it this rollout cannot go on being judged, so abort it or start another",
        ) from error
    # the judgement first: it says whose the file is
    state = resume(plan, rollout, msgspec.json.encode(read.state))
    return Kept(read.looked, Counters.load(read.counters), state)
