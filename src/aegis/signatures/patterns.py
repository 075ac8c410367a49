r"""Patterns for identities: the part of regular expressions in which nothing is left open by accident.

Taken are, between `^` and `$`: characters, escaped punctuation, `[…]`, `\d`, `\w`, `.` only as `.*`, `.+` or
`.{m,n}`, one quantifier after any of these, and groups `(a|b)` without quantifiers in or after them. What is taken
means the same as in Python's `re` and in RE2, of which cosign's `--certificate-identity-regexp` is one.

Host and first path segment, or an e-mail address's domain, must be written out: an unescaped dot, an alternation or a
wildcard there matches names that anybody can register. Matching steps through all possible positions at once, so
nothing backtracks (Thompson's construction, https://swtch.com/~rsc/regexp/regexp1.html).
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import lru_cache

from aegis.core.errors import UsageError
from aegis.signatures.shown import shown

MAX_PATTERN = 500
"""Characters, as every text of a policy."""
MAX_IDENTITY = 2048
"""Characters: a workflow's URL with a long ref has 300."""

_PRINTABLE = frozenset(map(chr, range(0x20, 0x7F)))
"""Subject alternative names of both kinds are IA5Strings (RFC 5280 4.2.1.6); control characters are in no identity."""
_SPECIAL = frozenset(".^$*+?{}[]\\|()")
_SHORTHAND = {"d": frozenset(string.digits), "w": frozenset(string.ascii_letters + string.digits + "_")}
_RANGES = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
_CLASS_LITERAL = frozenset(string.ascii_letters + string.digits + " ._/@:%+=,~!#?*$()")
_QUANTIFIER = re.compile(r"\*|\+|\?|\{([0-9]{1,3})(?:(,)([0-9]{0,3}))?\}")
_URI_START = re.compile(r"(?:https|spiffe)://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]+)?/[A-Za-z0-9_.~-]+/")
_MAIL_END = re.compile(r"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class _Repeat:
    """One of `chars`, from `least` to `most` times; `most` None is without end."""

    chars: frozenset[str]
    least: int = 1
    most: int | None = 1

    @property
    def literal(self) -> str | None:
        """The one character that this is, if it is just one."""
        return next(iter(self.chars)) if len(self.chars) == 1 and (self.least, self.most) == (1, 1) else None


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of several sequences."""

    options: tuple[tuple[_Repeat, ...], ...]


_Part = _Repeat | _Choice


class _UnsafeError(ValueError):
    """Why a pattern is not taken."""


def check_identity_pattern(pattern: str, *, name: str) -> None:
    """Judge a pattern when the policy is read; `name` says where it stands. UsageError `verify.pattern_unsafe`."""
    try:
        parts = _parse(pattern)
        _check_ends(parts)
    except _UnsafeError as error:
        raise UsageError(
            "verify.pattern_unsafe",
            f"{name}: the pattern {shown(pattern)} {error}",
            expected="a pattern anchored by ^ and $ that writes out the host and the owner, or the e-mail domain",
            remedy=r"Write `identity` exactly, or e.g. "
            r"^https://github\.com/org/repo/\.github/workflows/release\.yml@refs/tags/v[0-9.]+$",
        ) from None


def matches(pattern: str, identity: str) -> bool:
    """Whether the whole of `identity` fits a pattern that was checked; an unchecked unsafe one fits nothing."""
    if not identity or len(identity) > MAX_IDENTITY or not _PRINTABLE.issuperset(identity):
        return False
    try:
        parts = _parse(pattern)
        _check_ends(parts)
    except _UnsafeError:
        return False
    # Bit i is set while i characters may have been read.
    reached = 1
    for part in parts:
        reached = _step(part, reached, identity)
    return bool(reached >> len(identity))


def _step(part: _Part, reached: int, identity: str) -> int:
    if isinstance(part, _Choice):
        ends = 0
        for option in part.options:
            at = reached
            for item in option:
                at = _step(item, at, identity)
            ends |= at
        return ends
    fits = sum(1 << index for index, char in enumerate(identity) if char in part.chars)
    for _ in range(part.least):
        reached = (reached & fits) << 1
    more = len(identity) if part.most is None else part.most - part.least
    front = reached
    while more > 0 and front:
        front = (front & fits) << 1 & ~reached
        reached |= front
        more -= 1
    return reached


def _check_ends(parts: tuple[_Part, ...]) -> None:
    """The host and its owner, or the e-mail domain, are literal."""
    if _URI_START.match(_literal_start(parts)):
        return
    end = _literal_start(tuple(reversed(parts)))[::-1]
    if found := _MAIL_END.search(end):
        if found.end() != len(end):
            raise _UnsafeError("does not end in an e-mail domain")
        before = parts[: len(parts) - (found.end() - found.start())]
        every = [item for part in before for item in _repeats(part)]
        # A second @ or a slash would let a URL, or another domain's address, end in this domain.
        if not every or any(item.chars & {"@", "/"} for item in every):
            raise _UnsafeError("leaves more open than the part before the @ of an e-mail address")
        return
    raise _UnsafeError("does not write out scheme, host and owner (https://HOST/OWNER/), or an e-mail domain")


def _repeats(part: _Part) -> tuple[_Repeat, ...]:
    return (part,) if isinstance(part, _Repeat) else tuple(item for option in part.options for item in option)


def _literal_start(parts: tuple[_Part, ...]) -> str:
    found = []
    for part in parts:
        if not isinstance(part, _Repeat) or part.literal is None:
            break
        found.append(part.literal)
    return "".join(found)


@lru_cache(maxsize=64)
def _parse(pattern: str) -> tuple[_Part, ...]:
    if len(pattern) > MAX_PATTERN:
        raise _UnsafeError(f"has more than {MAX_PATTERN} characters")
    if not _PRINTABLE.issuperset(pattern):
        raise _UnsafeError("holds characters that no identity has")
    if not pattern.startswith("^") or not pattern.endswith("$"):
        raise _UnsafeError("is not anchored by ^ and $")
    return _Reader(pattern, 1, len(pattern) - 1).parts()


class _Reader:
    """Reads a pattern from left to right, between its anchors."""

    def __init__(self, pattern: str, start: int, end: int) -> None:
        self._text = pattern[:end]
        self._at = start

    def parts(self) -> tuple[_Part, ...]:
        found: list[_Part] = []
        while self._at < len(self._text):
            if self._peek() == "(":
                found.append(self._choice())
            else:
                found.append(self._repeat(variable=True))
        return tuple(found)

    def _peek(self) -> str:
        return self._text[self._at] if self._at < len(self._text) else ""

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise _UnsafeError("ends in the middle of an expression")
        self._at += 1
        return char

    def _choice(self) -> _Choice:
        self._at += 1
        if self._text.startswith("?:", self._at):
            self._at += 2
        options: list[tuple[_Repeat, ...]] = []
        option: list[_Repeat] = []
        while True:
            char = self._peek()
            if char in {"|", ")"} and char:
                if not option:
                    raise _UnsafeError("has an empty alternative")
                options.append(tuple(option))
                option = []
                self._at += 1
                if char == ")":
                    break
            else:
                option.append(self._repeat(variable=False))
        if _QUANTIFIER.match(self._text, self._at):
            raise _UnsafeError("repeats a group")
        return _Choice(tuple(options))

    def _repeat(self, *, variable: bool) -> _Repeat:
        start = self._at
        char = self._take()
        wildcard = char == "."
        if wildcard:
            chars = _PRINTABLE
        elif char == "[":
            chars = self._class()
        elif char == "\\":
            chars = self._escaped()
        elif char in _SPECIAL:
            raise _UnsafeError(f"has {char!r} at character {start + 1}, where it is not taken")
        else:
            chars = frozenset(char)
        quantifier = _QUANTIFIER.match(self._text, self._at)
        if quantifier is None:
            if wildcard:
                raise _UnsafeError(f"has a dot that is not escaped at character {start + 1}")
            return _Repeat(chars)
        if not variable:
            raise _UnsafeError("has a quantifier in a group")
        self._at = quantifier.end()
        if self._peek() in {"?", "+", "*", "{"} and self._peek():
            raise _UnsafeError("has a quantifier after a quantifier")
        return _Repeat(chars, *_bounds(quantifier))

    def _escaped(self) -> frozenset[str]:
        char = self._take()
        if char in _SHORTHAND:
            return _SHORTHAND[char]
        if char.isalnum():
            raise _UnsafeError(f"has the escape {chr(92) + char}, which is not taken")
        return frozenset(char)

    def _class(self) -> frozenset[str]:
        """What stands between brackets; negated, it is everything else that is printable."""
        negated = self._peek() == "^"
        if negated:
            self._at += 1
        chars: set[str] = set()
        while (char := self._take()) != "]":
            if char == "\\":
                chars |= self._escaped()
            elif self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in {"]", ""}:
                self._at += 1
                last = self._take()
                run = next((run for run in _RANGES if char in run and last in run), "")
                if not run or char > last:
                    raise _UnsafeError(
                        f"has the range {shown(f'{char}-{last}')}, which is not one of digits or letters"
                    )
                chars.update(run[run.index(char) : run.index(last) + 1])
            elif char in _CLASS_LITERAL or char == "-":
                chars.add(char)
            else:
                raise _UnsafeError(f"has {char!r} between brackets, where it must be escaped")
        if not chars:
            raise _UnsafeError("has empty brackets")
        return _PRINTABLE - chars if negated else frozenset(chars)


def _bounds(quantifier: re.Match[str]) -> tuple[int, int | None]:
    simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
    if quantifier[0] in simple:
        return simple[quantifier[0]]
    least = int(quantifier[1])
    most = least if quantifier[2] is None else int(quantifier[3]) if quantifier[3] else None
    if most is not None and most < least:
        raise _UnsafeError("has a quantifier that fits nothing")
    return least, most
