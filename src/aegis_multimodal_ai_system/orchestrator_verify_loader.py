"""Models, verified before they are loaded: the one door through which a serving system gets their bytes.

    with fetch_and_prepare_model_for_load("classifier") as model:
        tensors = safetensors.safe_open(model.files["model.safetensors"].path, "np")

What is given out are open descriptors, each hashed through itself and held against the signed manifest. Everything that
is not a proven yes (also an audit log, a database or a policy that cannot be read) is ModelRefused, recorded, alerted.
"""

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
    """The model's files, open, with the bytes that were signed. Raises ModelRefused, and nothing else for a refusal.

    `actor`: for whom; by default the process itself. `correlation_id`: of the caller's request, for the audit log.
    """
    # The rest takes longer to import than a process may take to start.
    from aegis_multimodal_ai_system.loading import Loading
    from aegis_multimodal_ai_system.runtime import default_runtime

    try:
        runtime = runtime or default_runtime()
    except Exception as error:  # settings that nobody understands: there is no log to record it in
        from aegis.core.errors import AegisError, crashed

        cause = error if isinstance(error, AegisError) else crashed(error)
        raise ModelRefused(model_name, cause) from error
    return Loading(runtime, model_name, actor or runtime.actor, correlation_id).run()
