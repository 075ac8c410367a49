"""What a deployment's parts share: made from its settings, each on first use."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from aegis.core.actor import Actor
from aegis_multimodal_ai_system.settings import Settings

if TYPE_CHECKING:
    from aegis.artifacts.preparing import Basis
    from aegis.audit.log import AuditLog
    from aegis.core.policy import VerifyPolicy
    from aegis.core.ports.objects import ObjectStore
    from aegis.storage.location import Location
    from aegis_multimodal_ai_system.ports import States


class Runtime:
    """One deployment. Safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet."""
        self.settings = settings

    @classmethod
    def from_environment(cls) -> Runtime:
        """That of this process. Raises UsageError `runtime.setting_invalid`."""
        return cls(Settings.from_environment())

    @property
    def actor(self) -> Actor:
        """The process itself, when it acts for nobody else."""
        raise NotImplementedError

    @property
    def log(self) -> AuditLog:
        """The audit log."""
        raise NotImplementedError

    @property
    def states(self) -> States:
        """The states of the models."""
        raise NotImplementedError

    def policy(self) -> VerifyPolicy:
        """What is asked of models now: the file is read anew each time."""
        raise NotImplementedError

    def names(self) -> tuple[str, ...]:
        """The models that may be asked for, in the policy's order."""
        return tuple(artifact.name for artifact in self.policy().artifacts)

    def basis(self) -> Basis:
        """Policy, keys, trusted root and lock as they are now."""
        raise NotImplementedError

    def open_store(self, location: Location) -> ObjectStore:
        """The store of an address in the policy."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what was opened."""


_default: Runtime | None = None
_making = Lock()


def default_runtime() -> Runtime:
    """The one of this process, made on first use."""
    global _default
    with _making:
        if _default is None:
            _default = Runtime.from_environment()
        return _default
