"""Every case."""

from __future__ import annotations

from tests.support.keyless.case import Case
from tests.support.keyless.identity_attacks import IDENTITY_ATTACKS
from tests.support.keyless.log_attacks import LOG_ATTACKS
from tests.support.keyless.time_attacks import TIME_ATTACKS
from tests.support.keyless.valid import VALID

CASES: tuple[Case, ...] = (*VALID, *IDENTITY_ATTACKS, *TIME_ATTACKS, *LOG_ATTACKS)
