"""Command lines that a Python file runs: lists of words, and lines for a shell.

Both are given back as shell text, with `${_}` for what is only known at run time, for the shell extractor to read: it
knows what stands behind `sudo`, `bash -c`, `python -c` or `pip install`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property

from aegis.gates.scan.extract.python.context import Context
from aegis.gates.scan.extract.python.imports import Import
from aegis.gates.scan.extract.python.mask import NAME_CHAR
from aegis.gates.scan.extract.python.strings import HOLE

_MODULES: dict[str, re.Pattern[str]] = {
    "subprocess": re.compile(r"run|call|check_call|check_output|Popen|getoutput|getstatusoutput"),
    "os": re.compile(r"system|popen|exec[lv]p?e?|spawn[lv]p?e?|posix_spawnp?|startfile"),
    "asyncio": re.compile(r"create_subprocess_(?:exec|shell)"),
    "shutil": re.compile(r"which"),
    "shlex": re.compile(r"split"),
    "pty": re.compile(r"spawn"),
    "pexpect": re.compile(r"run|spawn"),
    "sh": re.compile(r"Command|which"),
    "commands": re.compile(r"getoutput|getstatusoutput"),  # Python 2
}
_CLEAR_ANYWHERE = re.compile(
    r"check_call|check_output|Popen|create_subprocess_(?:exec|shell)|subprocess_(?:exec|shell)|getstatusoutput|getoutput"
)
"""Names that mean a process whatever stands before them."""
_OWN_RUNNER = re.compile(
    r"_*(?:run|exec|execute|call|check|shell|sh|cmd|system|invoke|spawn|launch)"
    r"(?:_(?:cmd|command|commands|shell|process|subprocess|sync|async|local|cli|in_shell|bash|checked|output))*",
)
"""A project's own function over `subprocess`: believed only with at least two words."""
_WORDS_AS_ARGUMENTS = re.compile(
    r"(?:.*\.)?(?:create_subprocess_exec|subprocess_exec|execlp?e?|spawnlp?e?)|session\.run(?:_always|_install)?"
)
_PLUMBUM = re.compile(r"(?:plumbum\.)?local")
"""`local["aws"]`"""
_INSTALLS_ARGUMENTS = re.compile(r"(?:.*\.)?session\.(?:conda_)?install")
"""nox: https://nox.thea.codes/en/stable/config.html#nox.sessions.Session.install"""
_PIP = frozenset({"pip", "pip._internal", "pip._internal.main", "pip._internal.cli.main"})
_PIP_INSTALL = re.compile(r"(?:(?:python|\"\$\{_\}\") -m )?(pip[\d.]* install .*)", re.DOTALL)
_MODE_FIRST = re.compile(r"(?:.*\.)?spawn[lv]p?e?")
_ARGUMENT_NAMES = frozenset({"args", "cmd", "cmds", "command", "commands", "argv", "executable", "program", "file"})
_COMMAND_NAME = re.compile(
    r"(?:.*_)?(?:cmd|cmds|command|commands|argv|cmdline|command_line|cmd_line)(?:_\w+)?", re.IGNORECASE
)
_COMMAND_LIST = re.compile(r"(?:cmd|command)_(?:args|line|list|parts|words)")
_LINES_NAME = re.compile(
    r"(?:.*_)?(?:cmd|cmds|command|commands|cmdline|cmd_line|command_line|scripts?)(?:_line)?", re.IGNORECASE
)
_STARTS_ANY = re.compile(
    r"subprocess|Popen|check_call|check_output|pexpect|shutil|commands|getoutput|\bsh\b"
    r"|os(?=\s*\.\s*(?:system|popen|exec|spawn|posix_spawn|startfile))|import(?=[^\n]*\b(?:system|popen|exec|spawn))"
)
"""Without one of these words a file starts no process in a way that is known here."""
_CALL_ON_NAME = re.compile(
    rf"(?<![\w.])([\w.]++)\s*+\(\s*+(?:args\s*=\s*|\*|\w+\.join\(\s*)?([^\W\d]\w*+)(?!{NAME_CHAR}|\s*[.(=])"
)
_UNKNOWN = "${_}"
_MOST_WORDS = 100
_NEAR = 40
"""Characters before a bracket that tell what it is."""
_BEFORE_DISPLAY = re.compile(r"(?:[(\[{,=+:*]|(?<!\w)(?:return|yield|await|else|lambda)|\A)\s*\Z")
_PYTHON = re.compile(r"\s*,?\s*sys\s*\.\s*executable\s*,?\s*")


@dataclass(frozen=True)
class Runners:
    """By which names a file starts processes."""

    code: str
    imported: tuple[Import, ...]

    @cached_property
    def _modules(self) -> dict[str, re.Pattern[str]]:
        own = {one.alias or one.name: one.name for one in self.imported if one.module is None and one.name in _MODULES}
        return {alias: _MODULES[name] for alias, name in own.items()} | _MODULES

    @cached_property
    def _functions(self) -> frozenset[str]:
        return frozenset(
            one.alias or one.name
            for one in self.imported
            if one.module in _MODULES and _MODULES[one.module].fullmatch(one.name)
        )

    def starts_process(self, callee: str) -> bool:
        """Whether a call by this name starts a process for sure."""
        base, _, last = callee.rpartition(".")
        if not base:
            return last in self._functions or bool(_CLEAR_ANYWHERE.fullmatch(last))
        functions = self._modules.get(base)
        return bool(functions and functions.fullmatch(last)) or bool(_CLEAR_ANYWHERE.fullmatch(last))

    def may_start_process(self, callee: str) -> bool:
        """Whether a call by this name looks like a project's own way to start processes."""
        return bool(_OWN_RUNNER.fullmatch(callee.rpartition(".")[2]))

    def runs_pip(self, callee: str) -> bool:
        """Whether a call hands its words to pip itself."""
        base, _, last = callee.rpartition(".")
        return (last == "main" and base in _PIP) or callee in self._pip

    @cached_property
    def _pip(self) -> frozenset[str]:
        return frozenset(one.alias or one.name for one in self.imported if one.module in _PIP and one.name == "main")

    def passed(self, variable: str) -> bool:
        """Whether a variable is the first argument of a call that starts a process."""
        return variable in self._passed

    @cached_property
    def _passed(self) -> frozenset[str]:
        if not _STARTS_ANY.search(self.code):
            return frozenset()
        return frozenset(match[2] for match in _CALL_ON_NAME.finditer(self.code) if self.starts_process(match[1]))


def command_words(context: Context, runners: Runners) -> str | None:
    """Return the command that the list (or call) around a string runs, as shell text, if it runs one."""
    if context.opener == "(" and _WORDS_AS_ARGUMENTS.fullmatch(context.callee):
        return _words(context, skip=1 if _MODE_FIRST.fullmatch(context.callee) else 0)
    if context.opener == "(" and _INSTALLS_ARGUMENTS.fullmatch(context.callee):
        return f"pip install {_words(context)}"
    if context.opener not in ("[", "(") or not _is_display(context):
        return None
    callee, name = context.outer()
    if runners.runs_pip(callee):
        return f"pip {_words(context)}"
    if runners.starts_process(callee) and (not name or name in _ARGUMENT_NAMES):
        return _words(context)
    named = _COMMAND_NAME.fullmatch(name) or runners.may_start_process(callee) or runners.passed(name)
    words = _words(context)
    if not words or named:
        return words if words and (" " in words or _is_begun(name, runners)) else None
    # A list that begins so is for pip, whoever passes it on.
    install = _PIP_INSTALL.fullmatch(words)
    return install[1] if install else None


def _is_begun(name: str, runners: Runners) -> bool:
    """Whether a variable's one word is surely the program of a command to which other code adds its arguments."""
    return _COMMAND_LIST.fullmatch(name) is not None or runners.passed(name)


def command_line(context: Context, runners: Runners) -> str | None:
    """Return the shell text that a string is, if a shell runs it."""
    line = shell_text(context.one.value)
    if _WORDS_AS_ARGUMENTS.fullmatch(context.callee):
        return None
    if context.opener == "[" and context.is_first and _PLUMBUM.fullmatch(context.callee):
        return line
    if context.opener == "(" and context.callee and (context.is_first or context.keyword in _ARGUMENT_NAMES):
        if runners.starts_process(context.callee):
            return line
        if runners.may_start_process(context.callee) and " " in line.strip():
            return line
    if " " not in context.one.value.strip():
        return None
    name = context.keyword
    if not name and context.opener in ("[", "(") and _is_display(context):
        name = context.outer()[1]
    if _LINES_NAME.fullmatch(name) or (context.opener == "" and runners.passed(name)):
        return line
    return None


def shell_text(value: str) -> str:
    """Write a value's unknown parts as a shell's expansions."""
    return value.replace(HOLE, _UNKNOWN)


def readable(text: str) -> str:
    """Write what is only known at run time as a person would."""
    return text.replace(f'"{_UNKNOWN}"', "…").replace(_UNKNOWN, "…")


def _is_display(context: Context) -> bool:
    """Whether the bracket is a list or tuple, not an index or a call."""
    before = context.masked.code[max(0, context.bracket - _NEAR) : context.bracket]
    return bool(_BEFORE_DISPLAY.search(before))


def _words(context: Context, skip: int = 0) -> str | None:
    """The elements of the bracket around a string as shell words."""
    words: list[str] = []
    cursor = context.bracket + 1
    for one in [*context.earlier(), context.one, *context.following()][:_MOST_WORDS]:
        gap = context.masked.code[cursor : one.start]
        if _PYTHON.fullmatch(gap):
            words.append("python")
        elif gap.strip() not in ("", ","):
            words.append(f'"{_UNKNOWN}"')
        words.append(_quoted(one.value))
        cursor = one.end
    return " ".join(words[skip:]) or None


def _quoted(value: str) -> str:
    if HOLE not in value:
        return shlex.quote(value)
    return '"' + re.sub(r'(["\\$`])', r"\\\1", value).replace(HOLE, _UNKNOWN) + '"'
