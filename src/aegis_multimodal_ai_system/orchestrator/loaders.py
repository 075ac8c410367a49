"""Which loader reads which format: safetensors from the start, others as a serving system registers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from aegis.core.errors import Refused, UsageError
from aegis.core.policy import Format
from aegis_multimodal_ai_system.verified_model import VerifiedModel

Loader = Callable[[VerifiedModel, Sequence[str]], Any]
"""Makes something usable of a model's files of one format, which it names in order.

It reads by `model.files[name].path`, `.open()` or `.fileno()`, which are good until the model is unloaded, and by no
other path. What it returns may have `close()`, which is called before.
"""


def _safetensors(model: VerifiedModel, names: Sequence[str]) -> Any:
    from aegis_multimodal_ai_system.orchestrator.safetensors_loader import load_safetensors

    return load_safetensors(model, names)


@dataclass(slots=True)
class Loaders:
    """One for each format."""

    _by_format: dict[Format, Loader] = field(default_factory=lambda: {"safetensors": _safetensors})

    def register(self, kind: Format, loader: Loader) -> None:
        """Take this one from now on."""
        if kind not in get_args(Format):
            raise UsageError(
                "runtime.loader_missing",
                f"there is no format {kind!r}",
                expected=", ".join(get_args(Format)),
                remedy="correct the format's name",
            )
        self._by_format[kind] = loader

    def choose(self, formats: Mapping[str, str]) -> tuple[Format, Loader, tuple[str, ...]]:
        """Of a model's formats the first that has a loader, in the order of `Format`, and the files of it.

        A pickle comes last: where a model has its weights in another form too, that one is taken. Raises Refused.
        """
        for kind in get_args(Format):
            names = tuple(sorted(name for name, each in formats.items() if each == kind))
            if names and kind in self._by_format:
                return kind, self._by_format[kind], names
        raise Refused(
            "runtime.loader_missing",
            f"the model's formats are {', '.join(sorted(set(formats.values()))) or 'none'}",
            expected=f"one of {', '.join(self._by_format)}, which have loaders",
            remedy="register_loader(format, loader), or convert the model",
        )


LOADERS = Loaders()
"""Those of this process."""


def register_loader(kind: Format, loader: Loader) -> None:
    """Let this loader read models of a format in the whole process, in place of the one before."""
    LOADERS.register(kind, loader)
