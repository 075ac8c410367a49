"""A total reader of shell text: which simple commands it holds, whatever else is in it.

It follows POSIX's token rules (Shell Command Language, 2.2, 2.3, 2.7, 2.9) and the extensions of bash that move
command positions: process substitution, here-strings, arrays, `[[ … ]]`, `(( … ))`, `case` with `;&` and `;;&`. It
expands nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_DEPTH = 60
"""Nested substitutions that are followed. Real scripts stay below 5; Python's own stack ends at about 1000 frames."""

_PLAIN = re.compile(r"[^\s;&|()<>\"'`$\\]+")
_BLANK = re.compile(r"(?:[ \t\f\v]|\\\r?\n)+")
_SINGLE = re.compile(r"[^']*")
_DOUBLE_PLAIN = re.compile(r'[^"`$\\]+')
_ANSI = re.compile(r"(?:[^'\\]|\\[\s\S])*")
_PARAMETER = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])")
_BRACED = re.compile(r"\$\{[#!]?[\w@*?-]*(?:\[[^\]\n]*\])?")
_REDIRECTION = re.compile(r"(?:\d+|\{\w+\})?(?:<<<|<<-?|<>|<&|>&|>>|>\||<|>|&>>|&>)")
_HEREDOC = re.compile(r"(?:\d+)?<<(-?)(?!<)[ \t]*(?:'([^'\n]*)'|\"([^\"\n]*)\"|\\?([^\s;&|()<>\"'`]+))")
_OPERATOR = re.compile(r";;&|;;|;&|;|&&|&(?!>)|\|\||\|&|\||\r?\n|\r")
_ARITHMETIC = re.compile(r"\(\(")
_PARENTHESIS = re.compile(r"[()]")
_ARITHMETIC_SIZE = 4000
"""Characters in which an arithmetic expression must end to be told from a subshell; keeps reading linear."""
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")


@dataclass(slots=True)
class Word:
    """One word: its text without quotes, expansions left out."""

    offset: int
    text: str = ""
    literal: str = ""
    """What stands before the first expansion."""
    expanded: bool = False
    quoted: bool = False
    body: int = -1
    """Where the text inside its quotes starts, if the word is one quoted string; else -1."""
    spread: bool = False
    """The word has an array's elements in it, which are no words of a command."""


@dataclass(slots=True)
class Heredoc:
    """The body of a here-document or here-string."""

    offset: int
    text: str


@dataclass(slots=True)
class Command:
    """One simple command: its words without redirections."""

    words: list[Word] = field(default_factory=list)
    heredocs: list[Heredoc] = field(default_factory=list)
    end: int = 0
    piped_into: Command | None = None


@dataclass(slots=True)
class Script:
    """What was read."""

    commands: list[Command] = field(default_factory=list)
    trouble: list[tuple[int, str]] = field(default_factory=list)
    """Offsets from which the text could not be followed, and why."""


def read(source: str) -> Script:
    """Every simple command of `source`, in the order in which they end."""
    reader = _Reader(source)
    reader.commands(0, "", 0)
    return reader.script


class _Reader:
    """The state of one reading."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.size = len(source)
        self.script = Script()
        self._waiting: list[tuple[Command, str, bool]] = []

    # Lists of commands.

    def commands(self, position: int, until: str, depth: int) -> int:
        """Read commands until the character `until` (or `)` that nothing opened); its offset comes back."""
        source, size = self.source, self.size
        command = Command()
        cases: list[str] = []  # "in": a pattern is next; "body": commands up to ;;
        piped: Command | None = None
        while position < size:
            blank = _BLANK.match(source, position)
            if blank:
                position = blank.end()
                continue
            char = source[position]
            in_pattern = bool(cases) and cases[-1] == "in"
            if char == until and not in_pattern:
                break
            if char == "#":
                end = source.find("\n", position)
                position = size if end < 0 else end
                continue
            operator = _OPERATOR.match(source, position)
            if operator and not in_pattern:
                text = operator[0]
                done = self._finish(command, position, piped)
                piped = done if text in ("|", "|&") else None
                if cases and text.startswith(";") and len(text) > 1:
                    cases[-1] = "in"
                command, position = Command(), operator.end()
                if text[-1] in "\r\n":
                    position = self._heredocs(position)
                continue
            if in_pattern:
                position, command = self._pattern(position, command, cases, depth)
                continue
            if char == "(":
                position, command = self._parenthesis(position, command, depth)
                continue
            if char == ")":  # that nothing opened
                command.words.clear()
                position += 1
                continue
            position = self._piece(position, command, depth)
            position = self._construct(position, command, cases, depth)
        self._finish(command, position, piped)
        return min(position, size)

    def _pattern(self, position: int, command: Command, cases: list[str], depth: int) -> tuple[int, Command]:
        """One step inside the pattern of a `case` clause."""
        char = self.source[position]
        if char == ")":
            cases[-1] = "body"
            return position + 1, Command()
        if char in "(|;&\r\n":
            return position + 1, command
        scratch = Command()
        position = self._piece(position, scratch, depth)
        if scratch.words and scratch.words[0].text == "esac" and not scratch.words[0].quoted:
            cases.pop()
        return position, Command()

    def _parenthesis(self, position: int, command: Command, depth: int) -> tuple[int, Command]:
        """`(`: a function's `()`, arithmetic, or a subshell."""
        source = self.source
        after = _BLANK.match(source, position + 1)
        if command.words and source.startswith(")", after.end() if after else position + 1):
            return (after.end() if after else position + 1) + 1, Command()
        if not command.words and _ARITHMETIC.match(source, position) and self._arithmetic_end(position + 2):
            return self._arithmetic(position + 2, depth), command
        return self._nested(position + 1, depth), Command() if not command.words else command

    def _construct(self, position: int, command: Command, cases: list[str], depth: int) -> int:
        """What a word that has just been read begins: `case … in`, `[[ … ]]`, `for … in …`."""
        words = command.words
        if not words:
            return position
        last = words[-1]
        if last.quoted or last.expanded:
            return position
        if len(words) == 1 and last.text in _OPENERS:
            words.clear()
        elif len(words) == 1 and last.text == "esac" and cases:
            cases.pop()
        elif last.text == "in" and len(words) == 3 and words[0].text == "case":
            cases.append("in")
            words.clear()
        elif last.text == "[[" and len(words) == 1:
            return self._test(position, command, depth)
        return position

    def _test(self, position: int, command: Command, depth: int) -> int:
        """The rest of `[[ … ]]`, in which `&&`, `||`, `<` and `(` are no command operators."""
        source = self.source
        scratch = Command()
        while position < self.size:
            blank = _BLANK.match(source, position)
            if blank:
                position = blank.end()
            elif source.startswith("]]", position):
                command.words.clear()
                return position + 2
            elif source[position] in ";&|()<>\r\n":
                position += 1
            else:
                position = self._word(position, scratch, depth)
        return position

    def _finish(self, command: Command, end: int, piped: Command | None) -> Command:
        """Keep a command that has words or a here-document."""
        command.end = end
        if command.words or command.heredocs or any(waiting[0] is command for waiting in self._waiting):
            if piped is not None:
                piped.piped_into = command
            self.script.commands.append(command)
        return command

    # Words.

    def _piece(self, position: int, command: Command, depth: int) -> int:
        """A redirection with its target, or a word."""
        source = self.source
        if source.startswith(("<(", ">("), position):
            return self._word(position, command, depth)
        redirection = _REDIRECTION.match(source, position)
        if not redirection:
            return self._word(position, command, depth)
        heredoc = _HEREDOC.match(source, position)
        if heredoc and not source.startswith("<<<", redirection.end() - 3):
            delimiter = next(group for group in heredoc.groups()[1:] if group is not None)
            self._waiting.append((command, delimiter, bool(heredoc[1])))
            return heredoc.end()
        position = redirection.end()
        blank = _BLANK.match(source, position)
        position = blank.end() if blank else position
        if position >= self.size or source[position] in ";|)\r\n":
            return position
        if source[position] == "&":
            return position + 1
        scratch = Command()
        position = self._word(position, scratch, depth)
        if redirection[0].endswith("<<<") and scratch.words:
            word = scratch.words[0]
            command.heredocs.append(Heredoc(word.body if word.body >= 0 else word.offset, word.text))
        return position

    def _word(self, position: int, command: Command, depth: int) -> int:
        """One word from `position`; it is added to the command's."""
        source, size = self.source, self.size
        word = Word(position)
        parts: list[str] = []
        start = position
        pieces = 0
        while position < size:
            char = source[position]
            plain = _PLAIN.match(source, position)
            if plain:
                parts.append(plain[0])
                position = plain.end()
            elif char == "'":
                end = _SINGLE.match(source, position + 1).end()  # type: ignore[union-attr] # matches nothing too
                word.body = position + 1 if position == start else word.body
                parts.append(source[position + 1 : end])
                word.quoted = True
                position = self._closed(end, "'", position)
            elif char == '"':
                word.body = position + 1 if position == start else word.body
                position = self._double(position + 1, word, parts, depth)
            elif char == "\\":
                if source.startswith(("\\\n", "\\\r\n"), position):
                    break
                parts.append(source[position + 1 : position + 2])
                word.quoted = True
                position += 2
            elif char == "$" or char == "`":
                position = self._expansion(position, word, parts, depth, quoted=False)
            elif char in "<>" and source.startswith("(", position + 1):
                self._cut(word, parts)
                position = self._nested(position + 2, depth)
            elif char == "(" and parts and _ASSIGNMENT.fullmatch("".join(parts)):
                position = self._array(position + 1, depth)
                word.spread = True
            elif char == "(" and parts and parts[-1][-1:] in "?*+@!" and position > start:
                position = self._glob(position + 1)
            else:
                break
            pieces += 1
        if position == start:
            return position + 1
        word.text = "".join(parts)
        if not word.expanded:
            word.literal = word.text
        if pieces != 1:
            word.body = -1
        command.words.append(word)
        return position

    def _closed(self, end: int, quote: str, start: int) -> int:
        """The offset after a closing quote; a missing one is trouble."""
        if end >= self.size:
            self.script.trouble.append((start, f"a {quote} that is never closed"))
            return self.size
        return end + 1

    def _cut(self, word: Word, parts: list[str]) -> None:
        """Mark that what follows is not known."""
        if not word.expanded:
            word.expanded = True
            word.literal = "".join(parts)

    def _double(self, position: int, word: Word, parts: list[str], depth: int) -> int:
        """The inside of double quotes and its end."""
        source, start = self.source, position - 1
        word.quoted = True
        while position < self.size:
            plain = _DOUBLE_PLAIN.match(source, position)
            if plain:
                parts.append(plain[0])
                position = plain.end()
                continue
            char = source[position]
            if char == '"':
                return position + 1
            if char == "\\":
                follower = source[position + 1 : position + 2]
                parts.append("" if follower == "\n" else follower if follower in '$`"\\' else "\\" + follower)
                position += 2
            else:
                position = self._expansion(position, word, parts, depth, quoted=True)
        self.script.trouble.append((start, 'a " that is never closed'))
        return self.size

    def _expansion(self, position: int, word: Word, parts: list[str], depth: int, *, quoted: bool) -> int:
        """`$…` or a backtick at `position`."""
        source = self.source
        if source[position] == "`":
            self._cut(word, parts)
            return self._backtick(position + 1, depth)
        if source.startswith("$((", position):
            self._cut(word, parts)
            # `$((` may also be a substitution that begins with a subshell: bash decides by how it ends.
            if self._arithmetic_end(position + 3):
                return self._arithmetic(position + 3, depth)
            return self._nested(position + 2, depth)
        if source.startswith("$(", position):
            self._cut(word, parts)
            return self._nested(position + 2, depth)
        if source.startswith("${", position):
            self._cut(word, parts)
            return self._braced(position, depth)
        if not quoted and source.startswith("$'", position):
            end = _ANSI.match(source, position + 2).end()  # type: ignore[union-attr] # matches nothing too
            parts.append(_unescaped(source[position + 2 : end]))
            word.quoted = True
            return self._closed(end, "'", position + 1)
        if not quoted and source.startswith('$"', position):
            return self._double(position + 2, word, parts, depth)
        parameter = _PARAMETER.match(source, position)
        if parameter:
            self._cut(word, parts)
            return parameter.end()
        parts.append("$")
        return position + 1

    def _nested(self, position: int, depth: int) -> int:
        """Commands up to the closing parenthesis."""
        if depth >= _DEPTH:
            self.script.trouble.append((position, "substitutions nested too deeply"))
            return self.size
        end = self.commands(position, ")", depth + 1)
        if end >= self.size:
            self.script.trouble.append((position, "a ( that is never closed"))
            return self.size
        return end + 1

    def _backtick(self, position: int, depth: int) -> int:
        """Commands up to the closing backtick."""
        if depth >= _DEPTH:
            self.script.trouble.append((position, "substitutions nested too deeply"))
            return self.size
        end = position
        while end < self.size and self.source[end] != "`":
            end += 2 if self.source[end] == "\\" else 1
        inner = read(_same_length(self.source[position:end]))
        _shift(inner, position)
        self.script.commands += inner.commands
        self.script.trouble += inner.trouble
        return min(end + 1, self.size)

    def _braced(self, position: int, depth: int) -> int:
        """`${…}` with whatever words its operators hold."""
        source = self.source
        start = position
        head = _BRACED.match(source, position)
        position = head.end() if head else position + 2
        scratch, parts = Word(position), [""]
        while position < self.size:
            char = source[position]
            if char == "}":
                return position + 1
            if char == '"' and depth < _DEPTH:
                position = self._double(position + 1, scratch, parts, depth + 1)
            elif char in "$`":
                if depth >= _DEPTH:
                    self.script.trouble.append((position, "substitutions nested too deeply"))
                    return self.size
                position = self._expansion(position, scratch, parts, depth + 1, quoted=True)
            elif char == "\\":
                position += 2
            else:
                position += 1
        self.script.trouble.append((start, "a ${ that is never closed"))
        return self.size

    def _arithmetic_end(self, position: int) -> bool:
        """Whether the parenthesis that closes arithmetic is doubled."""
        open_ones = 0
        for found in _PARENTHESIS.finditer(self.source, position, position + _ARITHMETIC_SIZE):
            open_ones += 1 if found[0] == "(" else -1
            if open_ones < 0:
                return self.source.startswith("))", found.start())
        return True

    def _arithmetic(self, position: int, depth: int) -> int:
        """Up to the `))` that closes arithmetic; substitutions in it are read."""
        source, open_ones, start = self.source, 0, position
        scratch, parts = Word(position), [""]
        while position < self.size:
            char = source[position]
            if char == ")":
                if open_ones == 0:
                    return position + (2 if source.startswith("))", position) else 1)
                open_ones -= 1
            elif char == "(":
                open_ones += 1
            elif char in "$`" and depth < _DEPTH:
                position = self._expansion(position, scratch, parts, depth + 1, quoted=True)
                continue
            position += 1
        self.script.trouble.append((start, "a (( that is never closed"))
        return position

    def _array(self, position: int, depth: int) -> int:
        """The elements of an array assignment: words, not commands; substitutions in them are read."""
        if depth >= _DEPTH:
            self.script.trouble.append((position, "arrays nested too deeply"))
            return self.size
        source = self.source
        scratch = Command()
        while position < self.size and source[position] != ")":
            if source[position] == "#":
                end = source.find("\n", position)
                position = self.size if end < 0 else end
            elif source[position].isspace() or source[position] in ";&|<>(":
                position += 1
            else:
                position = self._word(position, scratch, depth + 1)
        return min(position + 1, self.size)

    def _glob(self, position: int) -> int:
        """The rest of an extended glob, `?( … )`."""
        end = self.source.find(")", position)
        if end < 0:
            self.script.trouble.append((position, "a ( that is never closed"))
            return self.size
        return end + 1

    # Here-documents.

    def _heredocs(self, position: int) -> int:
        """Read the bodies that wait at a line's end."""
        waiting, self._waiting = self._waiting, []
        for command, delimiter, strip in waiting:
            body = position
            while position < self.size:
                end = self.source.find("\n", position)
                end = self.size if end < 0 else end
                line = self.source[position:end].rstrip("\r")
                if (line.lstrip("\t") if strip else line) == delimiter:
                    break
                position = end + 1
            else:
                end = self.size
            command.heredocs.append(Heredoc(body, self.source[body : min(position, self.size)]))
            position = min(end + 1, self.size)
        return position


_OPENERS = frozenset(("if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "fi", "done", "coproc"))
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "'": "'", '"': '"', "\\": "\\"}


def _unescaped(text: str) -> str:
    """The common escapes of `$'…'`; numeric ones by their value."""

    def one(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2]:
            return chr(int(found[2], 8))
        return _ESCAPES.get(found[3], found[0])

    return re.sub(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", one, text)


def _same_length(text: str) -> str:
    """A backtick body with its escapes taken away, places kept."""
    return re.sub(r"\\([`$\\])", r" \1", text) if "\\" in text else text


def _shift(script: Script, by: int) -> None:
    """Move every place of `script`."""
    for command in script.commands:
        command.end += by
        for word in command.words:
            word.offset += by
            word.body += by if word.body >= 0 else 0
        for heredoc in command.heredocs:
            heredoc.offset += by
    script.trouble[:] = [(offset + by, why) for offset, why in script.trouble]
