"""YAML that names images and commands: Kubernetes manifests, compose files, Helm charts and their values.

A Helm template is not YAML (`{{ … }}` anywhere): such a file is read line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.gates.scan.extract import _yaml
from aegis.gates.scan.extract._lines import in_scalar, moved
from aegis.gates.scan.extract._place import one_line
from aegis.gates.scan.extract._yaml import Scalar
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

_IMAGE_KEYS = frozenset(("image", "baseImage", "containerImage"))
_COMMAND_KEYS = frozenset(("command", "entrypoint", "args", "test"))
_SHELL_KEYS = frozenset(("script", "run", "setup", "cmd", "shell", "commands", "postStart", "preStop"))
_LANGUAGES = {"sh": "shell", "bash": "shell", "py": "python", "js": "javascript", "mjs": "javascript"}
_REFERENCE = re.compile(r"[a-z0-9][\w.:/@-]*", re.IGNORECASE)


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Every image and every command of a YAML file."""
    if not wanted.search(source):
        return []
    lines = source.splitlines()
    found: list[Statement | Unreadable] = []
    try:
        for scalar in _yaml.scalars(source):
            found.extend(_scalar(scalar, wanted, lines))
    except _yaml.BrokenYamlError as error:
        if "{{" in source or "{%" in source:
            found = list(_by_line(source, wanted))
        else:
            found = [*_by_line(source, wanted), Unreadable(error.line, error.why)]
    return sorted(dict.fromkeys(found), key=lambda item: (item.line, getattr(item, "column", 0)))


def _scalar(scalar: Scalar, wanted: re.Pattern[str], lines: list[str]) -> Iterator[Statement | Unreadable]:
    """What one scalar uses, by its key."""
    keys = tuple(key for key in scalar.path if key != "[]")
    key = keys[-1] if keys else ""
    if key in _IMAGE_KEYS or _is_image(keys, scalar.value):
        yield from _image(scalar, wanted, key)
    elif key in _COMMAND_KEYS or key in _SHELL_KEYS:
        yield from _command(scalar, key, wanted, lines)
    elif language := _LANGUAGES.get(key.rpartition(".")[2]) if "." in key else None:
        # a file of a ConfigMap
        yield from in_scalar(shell.embedded(language, scalar.value, wanted), scalar, lines)


def _is_image(keys: tuple[str, ...], value: str) -> bool:
    """Whether a key holds an image by where it stands: Helm's `image.repository`, the name of a Cloud Build step."""
    if keys[-2:] == ("steps", "name"):
        return "/" in value
    return keys[-1:] == ("repository",) and len(keys) > 1 and keys[-2].lower().endswith("image")


def _image(scalar: Scalar, wanted: re.Pattern[str], key: str) -> Iterator[Statement]:
    """An image reference, or the repository and registry that Helm values split it into."""
    name = scalar.value.strip()
    if key == "repository":
        registry, tag = _yaml.sibling(scalar, "registry"), _yaml.sibling(scalar, "tag")
        name = (f"{registry}/" if registry else "") + name + (f":{tag}" if tag else "")
    if _REFERENCE.fullmatch(name) and wanted.search(name):
        yield Statement(scalar.line, scalar.column, "image", "image", name, one_line(f"{key}: {name}"))


def _command(scalar: Scalar, key: str, wanted: re.Pattern[str], lines: list[str]) -> Iterator[Statement | Unreadable]:
    """A command: a string is shell text, a list is words, `args` continue `command`."""
    if scalar.path[-1] != "[]" or key in _SHELL_KEYS:
        if wanted.search(scalar.value):
            yield from in_scalar(shell.extract(scalar.value, wanted), scalar, lines)
        return
    words = _yaml.elements(scalar, key)
    if not words or words[0] is not scalar.node or (key == "args" and _yaml.elements(scalar, "command")):
        return
    if key == "args":
        yield from _arguments(scalar, wanted, lines)
        return
    more = _yaml.elements(scalar, "args") if key == "command" else []
    texts = [str(word.value) for word in [*words, *more]]
    if key == "test" and texts[:1] in (["CMD"], ["CMD-SHELL"]):
        texts = texts[1:] if texts[0] == "CMD" else ["sh", "-c", *texts[1:]]
    if not any(wanted.search(text) for text in texts):
        return
    script = _yaml.script_of([*words, *more])
    if script is not None:
        inner = _yaml.Scalar(
            scalar.path, str(script.value), *_yaml.start(script), script.style in ("|", ">"), script, None
        )
        yield from in_scalar(shell.extract(inner.value, wanted), inner, lines)
    else:
        yield from moved(shell.from_words(texts, wanted), scalar.line, scalar.column, one_line=True)


def _arguments(scalar: Scalar, wanted: re.Pattern[str], lines: list[str]) -> Iterator[Statement | Unreadable]:
    """`args` without a `command`: words for the image's entry point, unless they are shell text after `-c`."""
    words = _yaml.elements(scalar, "args")
    script = _yaml.script_of(words)
    if script is not None and wanted.search(str(script.value)):
        inner = _yaml.Scalar(
            scalar.path, str(script.value), *_yaml.start(script), script.style in ("|", ">"), script, None
        )
        yield from in_scalar(shell.extract(inner.value, wanted), inner, lines)


_LINE = re.compile(r"[ \t]*(?:-[ \t]+)*[\"']?(?P<key>[\w.-]+)[\"']?[ \t]*:[ \t]+(?P<value>\S.*)")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")


def _by_line(source: str, wanted: re.Pattern[str]) -> Iterator[Statement | Unreadable]:
    """Images and commands of a template: `key: value` lines, and every line as shell where it looks like a command."""
    for number, line in enumerate(source.splitlines(), 1):
        if not wanted.search(line) or line.lstrip().startswith("#"):
            continue
        found = _LINE.match(line)
        plain = _TEMPLATE.sub(lambda hit: "${" + "_" * (len(hit[0]) - 3) + "}", line)
        if found and found["key"] in _IMAGE_KEYS:
            name = re.split(r"\{\{|\{%", found["value"].strip().strip("\"'"))[0].rstrip(":@\"' ")
            if wanted.search(name):
                yield Statement(number, found.start("value") + 1, "image", "image", name, one_line(line))
        elif found is None:
            lead = len(plain) - len(plain.lstrip(" -"))
            yield from (
                item
                for item in moved(shell.extract(plain[lead:], wanted), number, lead + 1)
                if isinstance(item, Statement)
            )
