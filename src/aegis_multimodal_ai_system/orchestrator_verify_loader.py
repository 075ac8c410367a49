"""Models, verified before they are loaded: the one door through which a serving system gets their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aegis_multimodal_ai_system.refusal import ModelRefused
from aegis_multimodal_ai_system.verified_model import VerifiedFile, VerifiedModel

if TYPE_CHECKING:
    from aegis.core.actor import Actor
    from aegis_multimodal_ai_system.runtime import Runtime

__all__ = ["ModelRefused", "VerifiedFile", "VerifiedModel", "fetch_and_prepare_model_for_load"]


def fetch_and_prepare_model_for_load(
    model_name: str,
    *,
    actor: Actor | None = None,
    correlation_id: str | None = None,
    runtime: Runtime | None = None,
) -> VerifiedModel:
    """The model's files, open, with the bytes that were signed. Raises ModelRefused, and nothing else for a refusal."""
    raise NotImplementedError
