"""What stands around a string in the code: the call, list or assignment that it is part of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from aegis.gates.scan.extract.python.mask import NAME_CHAR, NAME_START, Masked
from aegis.gates.scan.extract.python.strings import Literal, literal

_S = r"(?:\s|\\\n)*+"
_NAME = rf"{NAME_START}{NAME_CHAR}*+"
_CALLEE = re.compile(rf"(?<!{NAME_CHAR})((?:{_NAME}{_S}\.{_S})*+{_NAME}){_S}\Z")
_KEYWORD = re.compile(rf"({_NAME}){_S}(?::[^=\n]*+)?\+?={_S}\Z")
_REACH = 2000
"""Characters of code that are looked at before a string. Arguments farther away belong to tables, not to calls."""

_LONGEST_NAME = 160
"""Characters before a bracket in which a function's or variable's name is looked for."""


@dataclass(frozen=True)
class Context:
    """The surroundings of one string operand."""

    masked: Masked
    one: Literal

    @cached_property
    def bracket(self) -> int:
        """Offset of the innermost bracket around it, -1 if none."""
        return self.masked.bracket(self.one.start)

    @cached_property
    def before(self) -> str:
        """The code between that bracket and it (without one: some code before it)."""
        start = self.bracket + 1
        if self.one.start - start > _REACH:
            start = self.one.start - _REACH if self.bracket < 0 else self.one.start
            return self.masked.code[start : self.one.start] if self.bracket < 0 else "…"
        return self.masked.code[start : self.one.start]

    @cached_property
    def opener(self) -> str:
        """That bracket, or nothing."""
        return self.masked.code[self.bracket] if self.bracket >= 0 else ""

    @cached_property
    def callee(self) -> str:
        """The dotted name before that bracket, or nothing."""
        return callee_before(self.masked, self.bracket) if self.opener in ("(", "[") else ""

    @cached_property
    def keyword(self) -> str:
        """The name that it is given to by `=`, or nothing."""
        match = _KEYWORD.search(self.before[-_LONGEST_NAME:])
        return match[1] if match else ""

    @property
    def is_first(self) -> bool:
        """Whether nothing stands between the bracket and it."""
        return self.bracket >= 0 and not self.before.strip()

    def earlier(self) -> list[Literal]:
        """The string operands before it in the same bracket, in order (none if the bracket is far away)."""
        if self.before == "…" or self.bracket < 0:
            return []
        found: list[Literal] = []
        index = self.masked.first_string_after(self.bracket)
        while self.masked.strings[index].start < self.one.start:
            operand = literal(self.masked, index)
            if self.masked.bracket(operand.start) == self.bracket:
                found.append(operand)
            index = operand.last + 1
        return found

    def following(self) -> list[Literal]:
        """The string operands after it in the same bracket, as long as nothing but commas stands between."""
        found: list[Literal] = []
        current = self.one
        while current.last + 1 < len(self.masked.strings) and current.complete:
            following = literal(self.masked, current.last + 1)
            gap = self.masked.code[current.end : following.start]
            if gap.strip() != ",":
                break
            found.append(following)
            current = following
        return found

    def outer(self) -> tuple[str, str]:
        """For an element of a list: the callee and the keyword or variable that the list is given to."""
        outer = self.masked.bracket(self.bracket) if self.bracket >= 0 else -1
        start = max(outer + 1, self.bracket - _REACH)
        before = self.masked.code[start : self.bracket]
        keyword = _KEYWORD.search(before[-_LONGEST_NAME:])
        is_argument = outer >= 0 and self.masked.code[outer] == "("
        first = bool(keyword) or not before.strip()
        callee = callee_before(self.masked, outer) if is_argument and first else ""
        return callee, keyword[1] if keyword else ""

    def outer_argument(self) -> tuple[str, str] | None:
        """For an element of a bracket inside a call: the callee, and the call's text before it."""
        outer = self.masked.bracket(self.bracket)
        if outer < 0 or self.masked.code[outer] != "(" or self.bracket - outer > _REACH:
            return None
        return callee_before(self.masked, outer), self.masked.text[outer + 1 : self.bracket]


def callee_before(masked: Masked, bracket: int) -> str:
    """Return the dotted name that stands directly before a bracket, without spaces."""
    match = _CALLEE.search(masked.code, max(0, bracket - _LONGEST_NAME), bracket)
    return re.sub(r"[\s\\]+", "", match[1]) if match else ""
