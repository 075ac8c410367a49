"""JavaScript and TypeScript source with comments, strings, regular expressions and JSX text masked.

The mask has the length of the text. Comments and regular expressions become spaces and slashes, a string or a part of a
template becomes a run of its quote, and the braces around an expression in a template or in JSX become parentheses, so
that later modules can use plain regular expressions.

Two things cannot be told by a token alone. Whether a slash divides or starts a regular expression
(https://tc39.es/ecma262/#sec-ecmascript-language-lexical-grammar) depends on what stands before it; whether `<`
compares, asserts a type or starts JSX (https://facebook.github.io/jsx/) also on what follows.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from aegis.gates.scan.extract._code import CodeText, StringToken, blank, limit_of
from aegis.gates.scan.model import Unreadable

_CODE_TOKENS = r"""
    /(?: /[^\n\r\u2028\u2029]*+ | \*(?:[^*]++|\*(?!/))*+(?:\*/|(?P<comment>)) | )
    | "(?:[^"\\\n\r]++|\\(?:\r\n|.))*+(?:"|(?P<double>))
    | '(?:[^'\\\n\r]++|\\(?:\r\n|.))*+(?:'|(?P<single>))
    | `
    | <(?=[A-Za-z_$>])
"""
_CODE = re.compile(_CODE_TOKENS, re.VERBOSE | re.DOTALL)
_CODE_IN_BRACES = re.compile(_CODE_TOKENS + r"| [{}]", re.VERBOSE | re.DOTALL)
_TEMPLATE_CHUNK = re.compile(r"(?:[^`\\$]++|\\.|\$(?!\{))*+", re.DOTALL)
_REGEX = re.compile(r"/(?![*/])(?:[^\\/\[\n\r]++|\\[^\n\r]|\[(?:[^\]\\\n\r]++|\\[^\n\r])*+\])++/[A-Za-z]*+")
_BRACKET = re.compile(r"[(){}]")
_LAST_WORD = re.compile(r"[\w$]+\Z")
_LONGEST_WORD = 80
"""Characters that are enough to know a keyword by."""
_HASHBANG = re.compile(r"#![^\n\r\u2028\u2029]*+")
_REST_OF_LINE = re.compile(r"[^\n\r]*+")

_BEFORE_OPERAND = frozenset(
    (
        *("return", "typeof", "instanceof", "in", "of", "new", "delete", "void", "throw", "case", "do", "else"),
        *("yield", "await", "default", "extends"),
    )
)
_HEADS = frozenset(("if", "while", "for", "with", "await"))
"""Words before a parenthesis after which a statement follows, so that a slash there starts a regular expression."""

_TAG_NAME = re.compile(r"<([A-Za-z_$][\w$.:-]*+)?")
_SURE_TAG = re.compile(r"\s*+(?:/>|\{)|\s++(?!extends\b)[\w$][\w$:-]*+(?:\s*+=\s*+[\"'{<]|\s*+/>|\s++[\w{])")
_IN_TAG = re.compile(r"\"[^\"]*+\"|'[^']*+'|\{|/>|>|//[^\n]*+|/\*.*?\*/", re.DOTALL)
_IN_TEXT = re.compile(r"\{|</[^>]*+>|<")
READS_LIKE_IMPORT = re.compile(r"\b(?:from|import|require\s*\()\s*[\"'`]([^\"'`\n]*)")
_SAFE_END = re.compile(r"\n(?=[A-Za-z}])|;[ \t]*\n")


@dataclass(frozen=True)
class ScriptText(CodeText):
    """A masked script; a template's parts by where the template starts."""

    templates: dict[int, list[StringToken]] = field(default_factory=dict)


def mask(text: str, wanted: re.Pattern[str], last_line: int | None = None) -> ScriptText:
    """Mask a text up to the end of the statement on `last_line` or somewhat later."""
    return _Lexer(text, wanted, limit_of(text, last_line, _SAFE_END)).run()


@dataclass
class _Expression:
    """Code in braces: of a template (with the template's parts so far) or of JSX."""

    start: int
    template: int | None
    depth: int = 0


@dataclass
class _Element:
    """JSX: how many elements are open, and whether the place is inside a tag."""

    start: int
    depth: int = 0
    in_tag: bool = True


class _Lexer:
    """The state of one pass over a text."""

    def __init__(self, text: str, wanted: re.Pattern[str], limit: int) -> None:
        self.text = text
        self.wanted = wanted
        self.limit = limit
        self.position = 0
        self.pieces: list[str] = []
        self.starts: list[int] = []
        self.strings: dict[int, StringToken] = {}
        self.templates: dict[int, list[StringToken]] = {}
        self.unreadable: list[Unreadable] = []
        self.frames: list[_Expression | _Element] = []
        self.last_closing_tag: dict[str, int] = {}
        self.brackets: list[int] = []
        self.last_opening: int | None = None
        self.bracket_piece = 0

    def run(self) -> ScriptText:
        if hashbang := _HASHBANG.match(self.text):
            self._emit(" " * hashbang.end(), hashbang.end())
        while self.position < len(self.text) and (self.frames or self.position <= self.limit):
            frame = self.frames[-1] if self.frames else None
            if isinstance(frame, _Element):
                going_on = self._in_tag(frame) if frame.in_tag else self._in_text(frame)
            else:
                going_on = self._code(frame)
            if not going_on:
                break
        if self.frames and self.position >= len(self.text):
            first = self.frames[0]
            what = "JSX element" if isinstance(first, _Element) or first.template is None else "template"
            self._hidden(first.start, len(self.text), what)
        return ScriptText(self.text, "".join(self.pieces), self.strings, self.unreadable, templates=self.templates)

    def _emit(self, masked: str, end: int) -> None:
        """Add the mask of the text up to `end`."""
        self.starts.append(self.position)
        self.pieces.append(masked)
        self.position = end

    def _plain(self, end: int) -> None:
        if end > self.position:
            self._emit(self.text[self.position : end], end)

    def _hidden(self, start: int, end: int, what: str) -> None:
        """Tell of a token without an end if it swallowed something wanted."""
        if self.wanted.search(self.text, start, end):
            self.unreadable.append(Unreadable(self._line(start), f"a {what} that does not end"))

    def _line(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    # Code

    def _code(self, frame: _Expression | None) -> bool:
        """Take one token of code; False at the end."""
        match = (_CODE_IN_BRACES if frame else _CODE).search(self.text, self.position)
        if match is None or (frame is None and match.start() > self.limit):
            self._plain(len(self.text) if match is None else self.limit)
            return False
        self._plain(match.start())
        first = match[0][0]
        if first == "/":
            self._slash(match)
        elif first in "\"'":
            self._string(match)
        elif first == "`":
            self._template(self.position)
        elif first == "<":
            self._maybe_element()
        else:
            self._brace(first, frame)
        return True

    def _slash(self, match: re.Match[str]) -> None:
        start, end = match.span()
        if end > start + 1:
            if match.lastgroup:
                self._hidden(start, end, "comment")
            self._emit(blank(match[0]), end)
        elif self._operand_may_start() and (regex := _REGEX.match(self.text, start)):
            self._emit("/" * (regex.end() - start - 1) + "]", regex.end())  # ends as an operand does
        else:
            self._emit("/", end)

    def _string(self, match: re.Match[str]) -> None:
        start, end = match.span()
        if match.lastgroup:
            # Not a string then (a quote in a text that was not known as JSX): go on behind the quote.
            rest = _REST_OF_LINE.match(self.text, start)
            self._hidden(start, rest.end() if rest else end, "string")
            self._emit(" ", start + 1)
            return
        self.strings[start] = StringToken(start + 1, end - 1, end, True)
        self._emit(match[0][0] * (end - start), end)

    def _brace(self, brace: str, frame: _Expression | None) -> None:
        if frame is None or brace == "{" or frame.depth:
            if frame is not None:
                frame.depth += 1 if brace == "{" else -1
            self._emit(brace, self.position + 1)
            return
        self.frames.pop()
        self._emit(")", self.position + 1)
        if frame.template is not None:
            self._template(frame.template)

    def _template(self, start: int) -> None:
        """Take a template's next part: from its opening quote, or from behind an expression."""
        here = self.position
        opening = 1 if here == start and start not in self.templates else 0
        chunk = _TEMPLATE_CHUNK.match(self.text, here + opening)
        end = chunk.end() if chunk else here + opening
        closed = self.text.startswith("`", end)
        parts = self.templates.setdefault(start, [])
        token = StringToken(here + opening, end, end + 1 if closed else end, closed and not parts)
        parts.append(token)
        if opening:
            self.strings[start] = token
        self._emit("`" * (token.end - here), token.end)
        if closed:
            return
        if self.text.startswith("${", end):
            self._emit("`(", end + 2)
            self.frames.append(_Expression(start, start))
        else:
            self._hidden(start, end, "template")

    # What stands before

    def _before(self, offset: int) -> str:
        """The end of the mask before an offset, without the spaces there: at least the last word or sign."""
        index = bisect_right(self.starts, offset - 1) - 1
        while index >= 0:
            found = self.pieces[index][: offset - self.starts[index]].rstrip()
            if found:
                return found[-_LONGEST_WORD:]
            index -= 1
        return ""

    def _operand_may_start(self) -> bool:
        """Whether an operand, and not an operator, comes next."""
        before = self._before(self.position)
        if not before:
            return True
        last = before[-1]
        if last == ")":
            return self._closes_a_head()
        if last == "}":
            return self._closes_a_block()
        if last in "]\"'`":
            return False
        if last in "+-" and before.endswith(last * 2):
            return False
        if last == "!":
            word = _LAST_WORD.search(before[:-1])
            return not (before[-2:-1] in tuple(")]") or (word is not None and word[0] not in _BEFORE_OPERAND))
        return self._word_allows_operand(before)

    @staticmethod
    def _word_allows_operand(before: str) -> bool:
        word = _LAST_WORD.search(before)
        if word is None:
            return True
        return word[0] in _BEFORE_OPERAND and not before[: word.start()].endswith(".")

    def _opening(self) -> int | None:
        """Where the bracket was opened that closes last before the current place."""
        brackets, opening = self.brackets, self.last_opening
        since = self.bracket_piece
        self.bracket_piece = len(self.pieces)
        offset = self.starts[since] if since < len(self.starts) else 0
        for bracket in _BRACKET.finditer("".join(self.pieces[since:])):
            if bracket[0] in "({":
                brackets.append(offset + bracket.start())
            else:
                opening = brackets.pop() if brackets else None
        self.last_opening = opening
        return opening

    def _closes_a_head(self) -> bool:
        opening = self._opening()
        if opening is None:
            return False
        before = self._before(opening)
        word = _LAST_WORD.search(before)
        return word is not None and word[0] in _HEADS and not before[: word.start()].endswith(".")

    def _closes_a_block(self) -> bool:
        """Whether the brace before ends a block rather than an object: told by what stands before its opening."""
        opening = self._opening()
        if opening is None:
            return True
        before = self._before(opening)
        if before.endswith("=>") or before[-1:] in (")", ";", "{", "}", ""):
            return True
        word = _LAST_WORD.search(before)
        return word is not None and (word[0] not in _BEFORE_OPERAND or word[0] in {"do", "else"})

    # JSX

    def _maybe_element(self) -> None:
        name = _TAG_NAME.match(self.text, self.position)
        if name is not None and self._element_may_start() and self._is_element(name):
            self.frames.append(_Element(self.position))
            self._open_tag()
        else:
            self._emit("<", self.position + 1)

    def _element_may_start(self) -> bool:
        before = self._before(self.position)
        if not before or before[-1] in "(,=?:&|!{[;" or before.endswith("=>"):
            return True
        if before[-1] == "}":
            return self._closes_a_block()
        word = _LAST_WORD.search(before)
        return word is not None and self._word_allows_operand(before)

    def _is_element(self, name: re.Match[str]) -> bool:
        tag = name[1] or ""
        if tag not in self.last_closing_tag:
            self.last_closing_tag[tag] = self.text.rfind(f"</{tag}" if tag else "</>")
        if self.last_closing_tag[tag] > name.end():
            return True
        return bool(tag) and _SURE_TAG.match(self.text, name.end()) is not None

    def _open_tag(self) -> None:
        name = _TAG_NAME.match(self.text, self.position)
        end = name.end() if name else self.position + 1
        self._emit("(" + " " * (end - self.position - 1), end)

    def _in_tag(self, frame: _Element) -> bool:
        match = _IN_TAG.search(self.text, self.position)
        if match is None:
            return self._swallow_rest()
        self._emit(blank(self.text[self.position : match.start()]), match.start())
        found = match[0]
        if found == "{":
            self._expression()
        elif found == ">":
            frame.depth += 1
            frame.in_tag = False
            self._emit(" ", match.end())
        elif found == "/>":
            self._emit(" )", match.end())
            self._element_ends(frame)
        else:
            if found[0] != "/":
                self.strings[match.start()] = StringToken(match.start() + 1, match.end() - 1, match.end(), True)
            self._emit(blank(found), match.end())
        return True

    def _in_text(self, frame: _Element) -> bool:
        match = _IN_TEXT.search(self.text, self.position)
        if match is None:
            return self._swallow_rest()
        self._text(match.start())
        if match[0] == "{":
            self._expression()
        elif match[0] == "<":
            frame.in_tag = True
            self._open_tag()
        else:
            frame.depth -= 1
            self._emit(blank(match[0])[:-1] + ")", match.end())
            self._element_ends(frame)
        return True

    def _text(self, end: int) -> None:
        """Take text between tags. If it reads like an import, `<name>` may have been a type assertion: tell."""
        for found in READS_LIKE_IMPORT.finditer(self.text, self.position, end):
            if self.wanted.search(found[1]):
                why = "text between tags that reads like an import: JSX, or code after a type assertion"
                self.unreadable.append(Unreadable(self._line(found.start()), why))
        self._emit(blank(self.text[self.position : end]), end)

    def _expression(self) -> None:
        self.frames.append(_Expression(self.position, None))
        self._emit("(", self.position + 1)

    def _element_ends(self, frame: _Element) -> None:
        frame.in_tag = False
        if frame.depth <= 0:
            self.frames.pop()

    def _swallow_rest(self) -> bool:
        self._emit(blank(self.text[self.position :]), len(self.text))
        return False
