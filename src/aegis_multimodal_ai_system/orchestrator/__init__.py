"""The load path of a serving system, and what it leaves behind: states and audit entries.

`Orchestrator(runtime).load(name)` is the primary way to a model. Its parts are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.orchestrator.load_path import LoadedModel, Orchestrator
    from aegis_multimodal_ai_system.orchestrator.loaders import Loader, Loaders, register_loader

__all__ = ["LoadedModel", "Loader", "Loaders", "Orchestrator", "register_loader"]


def __getattr__(name: str) -> Any:
    if name in {"LoadedModel", "Orchestrator"}:
        from aegis_multimodal_ai_system.orchestrator import load_path as module
    elif name in __all__:
        from aegis_multimodal_ai_system.orchestrator import loaders as module  # type: ignore[no-redef]
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(module, name)
