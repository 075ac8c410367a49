"""Selectors of counters: a name and label matchers, and nothing else of PromQL.

https://prometheus.io/docs/prometheus/latest/querying/basics/#instant-vector-selectors. A function, an offset or a
recording rule would hand over something that was computed from counters, which can be judged no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aegis.core.errors import UsageError

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHER: Final = re.compile(
    r"\s*(?P<label>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?P<how>=~|!~|!=|=)\s*"
    r"""(?P<value>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|`[^`\n]*`)\s*"""
)
_UNNAMED: Final = "__name__"


@dataclass(frozen=True, slots=True)
class Selector:
    """One metric's series."""

    name: str
    matchers: tuple[tuple[str, str], ...] = ()
    """A label, and the whole matcher as it was written, e.g. `code=~"5.."`."""

    @property
    def labels(self) -> frozenset[str]:
        """The labels that it looks at."""
        return frozenset(label for label, _ in self.matchers)

    def query(self, scope: Iterable[str]) -> str:
        """PromQL of it, with further matchers."""
        return f"{self.name}{{{','.join((*(text for _, text in self.matchers), *scope))}}}"


def parse_selector(text: str, *, where: str) -> Selector:
    """A selector as a person wrote it; `where` is its place in the policy. UsageError `canary.selector_invalid`."""
    name, brace, rest = text.strip().partition("{")
    name = name.strip()
    if ":" in name and _NAME.fullmatch(name.replace(":", "_")):
        raise _invalid(text, where, "is named like a recording rule, whose values were computed")
    if not _NAME.fullmatch(name):
        raise _invalid(text, where, "does not begin with the name of one counter")
    if not brace:
        return Selector(name)
    if not rest.endswith("}"):
        raise _invalid(text, where, "does not end with its matchers")
    return Selector(name, parse_matchers(rest[:-1], where=where))


def parse_matchers(text: str, *, where: str) -> tuple[tuple[str, str], ...]:
    """Matchers that commas part, as they stand between braces. UsageError `canary.selector_invalid`."""
    found: list[tuple[str, str]] = []
    position = 0
    while text[position:].strip():
        matcher = _MATCHER.match(text, position)
        if matcher is None:
            raise _invalid(text, where, f"has no matcher at character {position + 1}")
        if matcher["label"] == _UNNAMED:
            raise _invalid(text, where, "matches by __name__, so it may be several metrics")
        found.append((matcher["label"], f"{matcher['label']}{matcher['how']}{matcher['value']}"))
        position = matcher.end()
        if position < len(text):
            if text[position] != ",":
                raise _invalid(text, where, f"goes on without a comma at character {position + 1}")
            position += 1
    return tuple(found)


def quoted(value: str) -> str:
    """A label's value as a string of PromQL, which has Go's escapes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _invalid(text: str, where: str, problem: str) -> UsageError:
    return UsageError(
        "canary.selector_invalid",
        f"{where}: {text[:200]!r} {problem}",
        expected='a counter\'s name with label matchers, e.g. http_requests_total{code=~"5.."}',
        remedy="Name the counter itself: without functions, offset, range or recording rule.",
    )
