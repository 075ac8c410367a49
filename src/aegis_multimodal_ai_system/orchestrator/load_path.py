"""The load path: a name goes in, a model comes out that was verified before anything of it was read."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.policy import Format
from aegis_multimodal_ai_system.orchestrator.loaders import LOADERS, Loaders
from aegis_multimodal_ai_system.orchestrator_verify_loader import (
    ModelRefused,
    VerifiedModel,
    fetch_and_prepare_model_for_load,
)

if TYPE_CHECKING:
    from aegis.core.actor import Actor
    from aegis_multimodal_ai_system.runtime import Runtime

_log = logging.getLogger("aegis.loader")


@dataclass(eq=False, slots=True, kw_only=True)
class LoadedModel:
    """A model in use. Close it when it is not needed any more."""

    name: str
    digest: str
    """SHA-256 (hex), the one that releases bind."""
    version: str | None
    signer: str
    format: Format
    value: Any
    """What the loader made; of safetensors a mapping from each tensor's name to a NumPy array."""
    _model: VerifiedModel

    def close(self) -> None:
        """Unload: what the loader made first, then all descriptors. Twice is fine."""
        value, self.value = self.value, None
        try:
            close = getattr(value, "close", None)
            if callable(close):
                close()
        finally:
            self._model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Orchestrator:
    """Loads the models of one deployment."""

    def __init__(self, runtime: Runtime, loaders: Loaders = LOADERS) -> None:
        self._runtime = runtime
        self._loaders = loaders

    def load(self, name: str, actor: Actor | None = None, *, correlation_id: str | None = None) -> LoadedModel:
        """A model of the policy, verified and then loaded. Raises ModelRefused, and leaves nothing open then.

        A loader that fails changes nothing about the model's state: it was verified.
        """
        correlation_id = correlation_id or os.urandom(16).hex()
        model = fetch_and_prepare_model_for_load(
            name, actor=actor, correlation_id=correlation_id, runtime=self._runtime
        )
        try:
            kind, loader, names = self._loaders.choose(model.formats)
            value = loader(model, names)
        except BaseException as error:
            model.close()
            if not isinstance(error, Exception):
                raise  # a signal
            cause = error if isinstance(error, AegisError) else _failed(error)
            self._record(model, cause, actor, correlation_id)
            raise ModelRefused(name, cause) from error
        return LoadedModel(
            name=model.name,
            digest=model.digest,
            version=model.version,
            signer=model.signer,
            format=kind,
            value=value,
            _model=model,
        )

    def _record(self, model: VerifiedModel, cause: AegisError, actor: Actor | None, correlation_id: str) -> None:
        """What cannot be recorded here hides nothing: the load is refused all the same."""
        from aegis.audit.event import Event, Resource

        _log.warning("model %s verified, and not loaded: %s", model.name, cause.code)
        with suppress(Exception):
            self._runtime.log.append(
                Event(
                    action="model.load.refused",
                    actor=actor or self._runtime.actor,
                    resource=Resource(kind="model", name=model.name, sha256=model.digest, version=model.version),
                    outcome="failure",
                    reason=cause.code,
                    correlation_id=correlation_id,
                    details={"stage": "loader", "formats": ",".join(sorted(set(model.formats.values())))},
                )
            )


def _failed(error: Exception) -> CouldNotDecide:
    """The loader's own text may hold anything; the exception is chained."""
    return CouldNotDecide(
        "runtime.loader_failed",
        f"the loader ended with {type(error).__name__}",
        expected="a loaded model",
        remedy="look at the chained exception; the model's files were verified",
    )
