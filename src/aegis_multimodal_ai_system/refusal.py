"""The one exception with which a load ends that gives no model."""

from __future__ import annotations

from aegis.core.errors import AegisError


class ModelRefused(AegisError):  # noqa: N818 - it is the answer's name, as Refused is
    """A model that is not given out. `code` is the reason; `cause.exit_code` tells a no from not knowing."""

    exit_code = 1

    def __init__(self, model: str, cause: AegisError) -> None:
        """Of a model, by its name as it was asked for, and why."""
        super().__init__(cause.code, cause.problem, expected=cause.expected, remedy=cause.remedy, place=cause.place)
        self.model = model
        self.cause = cause
