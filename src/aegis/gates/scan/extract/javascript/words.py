"""Patterns that start with a word, as many as one needs.

`re` leaps from one occurrence of a leading word to the next, but tries an alternation or a look-behind at every
character, at some thirty times the cost. So an alternation becomes one pattern a word, and what must not stand before
the word is looked at behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence


def alone(word: str, not_before: str = r"\w$.#") -> str:
    """The pattern of a word that does not stand behind one of some characters."""
    escaped = re.escape(word)
    return rf"{escaped}(?<![{not_before}]{escaped})"


def patterns(*sources: str) -> tuple[re.Pattern[str], ...]:
    """Patterns to search for together."""
    return tuple(map(re.compile, sources))


def search_any(anywhere: Sequence[re.Pattern[str]], text: str) -> bool:
    """Whether one of the patterns is found."""
    return any(pattern.search(text) for pattern in anywhere)


def find_all(anywhere: Sequence[re.Pattern[str]], text: str) -> Iterator[re.Match[str]]:
    """The matches of the patterns in the text's order, none of which starts inside another: as of an alternation."""
    end = 0
    matches = [match for pattern in anywhere for match in pattern.finditer(text)]
    for match in sorted(matches, key=re.Match.start):
        if match.start() >= end:
            end = match.end()
            yield match
