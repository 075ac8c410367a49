"""How GitHub's runner reads a line of a log: the rules of actions/runner, `ActionCommand.cs`, as an oracle."""

from __future__ import annotations

from dataclasses import dataclass

REGISTERED = frozenset(
    {
        "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice",
        "remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning", "internal-set-repo-path",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Command:
    name: str
    properties: dict[str, str]
    data: str


def parse(line: str) -> Command | None:
    """The command that a line is, or None for plain text."""
    return _parse_v2(line) or _parse_v1(line)


def _parse_v2(line: str) -> Command | None:
    line = line.lstrip()
    end = line.find("::", 2)
    if not line.startswith("::") or end < 0:
        return None
    name, _, rest = line[2:end].partition(" ")
    if name not in REGISTERED:
        return None
    pairs = (pair.split("=", 1) for pair in rest.strip().split(",") if pair)
    properties = {pair[0]: _unescape(pair[1], (":", "%3A"), (",", "%2C")) for pair in pairs if len(pair) == 2}
    return Command(name, properties, _unescape(line[end + 2 :]))


def _parse_v1(line: str) -> Command | None:
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name = line[start + 3 : end].partition(" ")[0]
    return Command(name, {}, line[end + 1 :]) if name in REGISTERED else None


def _unescape(text: str, *more: tuple[str, str]) -> str:
    for plain, escaped in (("\r", "%0D"), ("\n", "%0A"), *more, ("%", "%25")):
        text = text.replace(escaped, plain)
    return text
