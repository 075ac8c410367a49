"""Shell scripts, and shell text inside makefiles, justfiles, Jenkinsfiles, workflows and Dockerfiles.

Every command at a command position is a `Statement`, whatever wraps it (`sudo`, `env`, `xargs`, `timeout` …). Code for
another interpreter (`python -c "…"`, a here-document) is read by that language's extractor and is `embedded`.
Installing a distribution (`pip install boto3`) declares it: form `manifest`. Running an image names it: form `image`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from importlib import import_module

from aegis.gates.scan.extract._place import Places, one_line
from aegis.gates.scan.extract.shell import lexer
from aegis.gates.scan.extract.shell.carriers import ASSIGNMENT, carried_commands, past_options
from aegis.gates.scan.extract.shell.installs import declared
from aegis.gates.scan.extract.shell.lexer import Command, Word
from aegis.gates.scan.model import Form, Statement, Surface, Unreadable

_EMBEDDING_DEPTH = 6
"""Shell in shell in shell: `bash -c "bash -c …"` beyond this is told, not followed."""

_SHELLS = frozenset(("sh", "bash", "zsh", "ksh", "dash", "ash"))
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?|ipython")
_NODE = frozenset(("node", "nodejs", "bun", "deno"))

_WRAPPERS: dict[str, tuple[str, int]] = {
    # name: (options that take the next word, words of its own before the command)
    "sudo": ("-u -g -h -p -C -r -t -T -U -D -R --user --group --host --prompt --chdir", 0),
    "doas": ("-u -C", 0),
    "env": ("-u -C -S -vS --unset --chdir --split-string", 0),
    "xargs": ("-n -I -P -L -d -s -E -a --max-args --max-procs --delimiter --arg-file --max-lines", 0),
    "parallel": ("-j -I -a --jobs --colsep --delay --retries --timeout", 0),
    "time": ("-f -o --format --output", 0),
    "nohup": ("", 0),
    "setsid": ("", 0),
    "exec": ("-a", 0),
    "command": ("", 0),
    "builtin": ("", 0),
    "nice": ("-n --adjustment", 0),
    "ionice": ("-c -n -p", 0),
    "stdbuf": ("-i -o -e", 0),
    "timeout": ("-k -s --kill-after --signal", 1),
    "chroot": ("--userspec --groups", 1),
    "gosu": ("", 1),
    "su-exec": ("", 1),
    "watch": ("-n --interval", 0),
    "flock": ("-w -E --timeout", 1),
    "unbuffer": ("", 0),
    "retry": ("-t -d -n --tries --delay --times", 0),
    "chronic": ("", 0),
    "tini": ("", 0),
    "dumb-init": ("", 0),
    "caffeinate": ("-t -w", 0),
    "winpty": ("", 0),
    "noglob": ("", 0),
    "busybox": ("", 0),
    "fakeroot": ("-l -s -i -b", 0),
    "ltrace": ("-a -e -l -n -o -p -s -u -x", 0),
    "nsenter": ("-t --target -S -G", 0),
    "proxychains": ("-f", 0),
    "proxychains4": ("-f", 0),
    "strace": ("-a -b -e -E -I -o -O -p -P -s -S -u -X", 0),
    "systemd-run": ("-E -H -M -p -t -u --description --host --machine --property --setenv --unit", 0),
    "taskset": ("", 1),
    "unshare": ("-S -G -R -w", 0),
    "chpst": ("-u -U -b -d -n -l -L -m -o -p -f -c", 0),
}
_WRAPPER_OPTIONS = {name: (frozenset(options.split()), own) for name, (options, own) in _WRAPPERS.items()}

_LOOK_UP = r"(?:which|command[ \t]+-v|type[ \t]+-[pP])[ \t]+([\w.-]+)[ \t]*"
_LOOKED_UP = re.compile(rf"(?m)(?<![^\s;&|({{])(?:\$\({_LOOK_UP}\)|`{_LOOK_UP}`)(?=[ \t]+[\w-])")
"""`$(which aws) s3 ls`: a command that is found first and called at once."""
_VARIABLE = re.compile(r"\"?\$(?:\{(\w+)\}|(\w+))\"?(?=[\s;&|)]|\Z)")
_SPLIT_STRING = re.compile(r"(?:-v?S|--split-string=)(.+)", re.DOTALL)
_KEYWORD_COMMANDS = frozenset(("for", "select", "case", "function", "[", "[[", "test", ":"))


@dataclass(slots=True)
class _Walk:
    """One text that is read, and where its first character stands in the file."""

    source: str
    places: Places
    wanted: re.Pattern[str]
    depth: int = 0
    found: list[Statement | Unreadable] = field(default_factory=list)
    held: dict[str, set[str]] = field(default_factory=dict)
    """What variables hold, where it is known and could be a command."""

    def hold(self, name: str, value: str) -> None:
        """Remember that a variable is given a value."""
        if self.wanted.search(value):
            self.held.setdefault(name, set()).add(value)

    def add(self, offset: int, surface: Surface, form: Form, name: str, text: str) -> None:
        """Keep a statement whose name is wanted."""
        if self.wanted.search(name):
            line, column = self.places.at(offset)
            self.found.append(Statement(line, column, surface, form, name, one_line(text)))


def extract(
    source: str,
    wanted: re.Pattern[str],
    last_line: int | None = None,
    variables: Iterable[tuple[str, str]] = (),
) -> list[Statement | Unreadable]:
    """Every command, embedded import, installed distribution and image of a shell script that has `variables`."""
    variables = tuple(variables)
    if not variables and not wanted.search(source):
        return []
    return _sorted(_read(source, wanted, 0, variables))


def _read(
    source: str, wanted: re.Pattern[str], depth: int, variables: Iterable[tuple[str, str]] = ()
) -> list[Statement | Unreadable]:
    """The same without an order, `depth` texts deep."""
    source = _LOOKED_UP.sub(_as_command, source)
    walk = _Walk(source, Places(source), wanted, depth)
    script = lexer.read(source)
    for name, value in variables:
        walk.hold(name, value)
    for command in script.commands:
        for word in command.words:
            if ASSIGNMENT.match(word.text) and not word.expanded:
                walk.hold(*word.text.split("=", 1))
    for command in script.commands:
        _command(walk, command)
    for offset, why in script.trouble:
        if wanted.search(source, offset):
            walk.found.append(Unreadable(walk.places.line(offset), why))
    return walk.found


def _as_command(match: re.Match[str]) -> str:
    """The command that is looked up, in the same number of characters."""
    name = match[1] or match[2]
    return name + " " * (len(match[0]) - len(name))


def _sorted(found: list[Statement | Unreadable]) -> list[Statement | Unreadable]:
    """By place, each once."""
    return sorted(dict.fromkeys(found), key=lambda item: (item.line, item.column if isinstance(item, Statement) else 0))


def _command(walk: _Walk, command: Command, carriers: int = 0, *, spelt: bool = False) -> None:
    """What one simple command uses, which stands among the words of so many others."""
    words = _unwrapped(command.words)
    for word in _split_by_env(command.words[: len(command.words) - len(words)]):
        _embedded_shell(walk, word)
    if not words:
        _fed(walk, command, "")
        return
    program = _program(words[0])
    if not program and not spelt:
        for value in _values(walk, words[0]):
            known = [Word(words[0].offset, text, text) for text in value.split()]
            _command(walk, replace(command, words=[*known, *words[1:]]), carriers, spelt=True)
    if program:
        _named(walk, command, words, program)
        _carried(walk, program, words, command.end, carriers)
    _fed(walk, command, program)


def _unwrapped(words: list[Word]) -> list[Word]:
    """The words from the program on: assignments, keywords and wrapping commands are taken away."""
    index = 0
    while index < len(words):
        word = words[index]
        if word.spread or (ASSIGNMENT.match(word.text) and not word.body >= 0):
            index += 1
            continue
        wrapper = _WRAPPER_OPTIONS.get(_program(word))
        if wrapper is None:
            break
        options, own = wrapper
        if _program(word) == "command" and index + 1 < len(words) and words[index + 1].text in ("-v", "-V", "-pv"):
            return []
        index = past_options(words, index + 1, options, own)
    return words[index:]


def _values(walk: _Walk, word: Word) -> Iterable[str]:
    """What the variable holds that is all of a word: `$A`, `"${A}"`."""
    variable = _VARIABLE.match(walk.source, word.offset)
    return sorted(walk.held.get(variable[1] or variable[2], ())) if variable else ()


def _split_by_env(wrapping: list[Word]) -> Iterator[Word]:
    """The text that `env -S`, among the words before a program, takes for a command and its arguments."""
    if not any(_program(word) == "env" for word in wrapping):
        return
    for option, following in itertools.pairwise((*wrapping, Word(0))):
        if option.text in ("-S", "--split-string", "-vS"):
            yield following
        elif glued := _SPLIT_STRING.fullmatch(option.text):
            yield replace(option, text=glued[1], body=-1)


def _program(word: Word) -> str:
    """The program that a word at command position runs: no folder, no `.exe`; empty if it is not known."""
    text = word.text
    if word.expanded:
        head, slash, tail = text.rpartition("/")
        if not slash or len(word.literal) > len(head) or word.literal == text:
            return ""
        text = tail
    name = text.rpartition("/")[2].rpartition("\\")[2]
    return re.sub(r"\.(?:exe|cmd|bat)$", "", name)


def _named(walk: _Walk, command: Command, words: list[Word], program: str) -> None:
    """A command whose program is known."""
    if program in _KEYWORD_COMMANDS:
        return
    inner = _inner_shell(program, words)
    if inner is not None:
        _embedded_shell(walk, inner)
        return
    name = _name(words, program)
    text = walk.source[words[0].offset : command.end]
    code = _inline_code(program, words)
    if code is not None:
        language, word = code
        _embedded(walk, language, word.text, word.body if word.body >= 0 else word.offset)
    for surface, form, target, word in declared(program, words):
        walk.add(word.offset, surface, form, target, text)
    walk.add(words[0].offset, "command", "command", name, text)


def _carried(walk: _Walk, program: str, words: list[Word], end: int, carriers: int) -> None:
    """The commands that this one starts elsewhere."""
    for carried, until in carried_commands(program, words, end):
        if carriers >= _EMBEDDING_DEPTH:
            walk.found.append(Unreadable(walk.places.line(carried[0].offset), "commands nested too deeply"))
        elif any(character.isspace() for character in carried[0].text):
            _embedded_shell(walk, carried[0])
        else:
            _command(walk, Command(carried, end=until), carriers + 1)


def _name(words: list[Word], program: str) -> str:
    """The words of the command up to the first expansion."""
    if _PYTHON.fullmatch(program):
        program, words = _as_module(program, words)
    names = [program]
    for word in words[1:]:
        if word.expanded or not word.text or "\n" in word.text:
            break
        names.append(word.text)
    return " ".join(" ".join(names).split())[:200]


def _as_module(program: str, words: list[Word]) -> tuple[str, list[Word]]:
    """`python3.11 -X dev -Im name` as `python3 -m name`."""
    index = past_options(words, 1, frozenset(("-X", "-W")), 0)
    for at, word in enumerate(words[1 : index + 1], 1):
        if re.fullmatch(r"-[A-Za-z]*m", word.text):
            plain = "python3" if program.startswith("python3") else "python"
            return plain, [words[0], replace(word, text="-m"), *words[at + 1 :]]
    return program, words


def _inner_shell(program: str, words: list[Word]) -> Word | None:
    """The word that is shell text itself: of `bash -c`, `eval`, `trap`, `su -c`, `script -c`."""
    if program in _SHELLS or program in ("su", "script"):
        for index, word in enumerate(words[1:], 1):
            if re.fullmatch(r"-[a-z]*c", word.text) or word.text == "--command":
                return words[index + 1] if index + 1 < len(words) else None
            if not word.text.startswith(("-", "+")) and program in _SHELLS:
                return None
    if program in ("eval", "trap") and len(words) > 1 and (program == "trap" or words[1].quoted):
        return words[1]
    return None


def _embedded_shell(walk: _Walk, word: Word) -> None:
    """Shell text inside a word."""
    _embedded(walk, "shell", word.text, word.body if word.body >= 0 else word.offset)


_EVAL_OPTIONS: dict[str, tuple[str, frozenset[str]]] = {
    "python": ("python", frozenset(("-c",))),
    "node": ("javascript", frozenset(("-e", "--eval", "-p", "--print", "eval"))),
}


def _inline_code(program: str, words: list[Word]) -> tuple[str, Word] | None:
    """The word that is code of another language, and which."""
    kind = "python" if _PYTHON.fullmatch(program) else "node" if program in _NODE else ""
    if not kind and program in ("uv", "poetry", "pipenv", "hatch", "pdm", "conda", "mamba", "rye"):
        for index, word in enumerate(words[1:-1], 1):
            if _PYTHON.fullmatch(word.text):
                return _inline_code("python", words[index:])
    if not kind:
        return None
    language, options = _EVAL_OPTIONS[kind]
    for index, word in enumerate(words[1:], 1):
        if word.text in options or (kind == "python" and re.fullmatch(r"-[A-Za-z]*c", word.text)):
            return (language, words[index + 1]) if index + 1 < len(words) else None
        if not word.text.startswith("-"):
            return None
    return None


def _fed(walk: _Walk, command: Command, program: str) -> None:
    """Here-documents that an interpreter reads, also through a pipe (`cat <<EOF | bash`)."""
    if not command.heredocs:
        return
    words = _unwrapped(command.words)
    target = _interpreter(program, words)
    if target is None and program in ("cat", "tee", "envsubst", "sed") and command.piped_into is not None:
        piped = _unwrapped(command.piped_into.words)
        target = _interpreter(_program(piped[0]), piped) if piped else None
    if target is None and program in ("cat", "tee"):
        target = _written(walk, command)
    if target is None:
        return
    for heredoc in command.heredocs:
        _embedded(walk, target, heredoc.text, heredoc.offset)


def _interpreter(program: str, words: list[Word]) -> str | None:
    """The language that a program reads from its standard input."""
    if program in _SHELLS:
        return "shell"
    if _PYTHON.fullmatch(program):
        return "python"
    if program in _NODE:
        return "javascript"
    if program in _CARRIERS:
        for word in words[1:]:
            last = word.text.rpartition("/")[2]
            if last in _SHELLS:
                return "shell"
            if _PYTHON.fullmatch(last):
                return "python"
    return "shell" if program == "ssh" else None


_CARRIERS = frozenset(("ssh", "docker", "podman", "kubectl", "uv", "poetry", "srun", "lxc", "vagrant"))
"""Programs that hand their standard input to a command among their words."""
_WRITTEN = re.compile(r">>?[ \t]*[\"']?([^\s\"'<>|;&]+)")


def _written(walk: _Walk, command: Command) -> str | None:
    """The language of a file that `cat <<EOF > name` writes, by its suffix."""
    start = command.words[0].offset if command.words else 0
    line = walk.source[start : command.end]
    targets = [found[1] for found in _WRITTEN.finditer(line)] + [word.text for word in command.words[1:]]
    for target in targets:
        suffix = target.rpartition(".")[2].lower()
        if suffix in ("sh", "bash"):
            return "shell"
        if suffix == "py":
            return "python"
        if suffix in ("js", "mjs", "cjs", "ts"):
            return "javascript"
    return None


def _embedded(walk: _Walk, language: str, text: str, offset: int) -> None:
    """Code inside this text, read by its own extractor."""
    if not walk.wanted.search(text):
        return
    line, column = walk.places.at(offset)
    if language == "shell":
        if walk.depth >= _EMBEDDING_DEPTH:
            walk.found.append(Unreadable(line, "shell text nested too deeply"))
            return
        inner = _read(text, walk.wanted, walk.depth + 1)
    else:
        module = import_module(f"aegis.gates.scan.extract.{language}.file")
        inner = module.extract(text, walk.wanted, None)
    for item in inner:
        if isinstance(item, Unreadable):
            walk.found.append(Unreadable(item.line + line - 1, item.why))
            continue
        form: Form = "embedded" if language != "shell" else item.form
        moved = item.column + column - 1 if item.line == 1 else item.column
        walk.found.append(replace(item, line=item.line + line - 1, column=moved, form=form))


# For extractors of files that hold shell text or the words of a command.


def embedded(language: str, text: str, wanted: re.Pattern[str]) -> list[Statement | Unreadable]:
    """Code of another language that stands in a file, as form `embedded`."""
    walk = _Walk(text, Places(text), wanted)
    _embedded(walk, language, text, 0)
    return _sorted(walk.found)


def from_words(words: list[str], wanted: re.Pattern[str]) -> list[Statement | Unreadable]:
    """A command that is given as a list of words (an exec form), all of it at line 1."""
    walk = _Walk(" ".join(words), Places(""), wanted)
    command = Command([Word(0, text, text) for text in words], end=sum(map(len, words)) + len(words))
    _command(walk, command)
    return _sorted(walk.found)
