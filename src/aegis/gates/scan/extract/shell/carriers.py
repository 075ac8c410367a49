r"""Commands among the words of another: `ssh host aws …`, `find … -exec aws … \;`, `docker exec web aws …`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.gates.scan.extract.shell.lexer import Word

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=")


@dataclass(frozen=True, slots=True)
class _Carrier:
    """A way to start a command elsewhere: words that must come first, and what stands before the command."""

    verbs: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()
    """Those whose value is the next word."""
    own: int = 0
    """Words before the command, such as a host or a container."""
    after_dashes: bool = False
    """The command stands after `--` only."""


def _carrier(verbs: str, options: str = "", own: int = 0, *, after_dashes: bool = False) -> _Carrier:
    return _Carrier(tuple(verbs.split()), frozenset(options.split()), own, after_dashes)


_SSH = "-b -B -c -D -e -E -F -i -I -J -l -L -m -o -O -p -P -Q -R -S -w -W"
_EXEC = "-e -u -w --env --user --workdir --env-file --detach-keys --index"
_RUN = (
    "-a -c -e -h -l -m -p -u -v -w --add-host --cap-add --cap-drop --cidfile --cpus --device --dns --entrypoint --env"
    " --env-file --expose --gpus --health-cmd --hostname --ip --ipc --label --link --log-driver --log-opt --memory"
    " --mount --name --net --network --pid --platform --publish --pull --restart --runtime --security-opt --shm-size"
    " --stop-signal --tmpfs --ulimit --user --userns --volume --volumes-from --workdir"
)
_ENGINES = ("docker", "podman", "nerdctl")
_COMPOSE = tuple(_carrier(verb, f"{_RUN} --index", 1) for verb in ("exec", "run"))
_ENGINE = (
    _carrier("exec", _EXEC, 1),
    _carrier("container exec", _EXEC, 1),
    _carrier("run", _RUN, 1),
    _carrier("container run", _RUN, 1),
    *(_carrier(f"compose {verb}", f"{_RUN} --index", 1) for verb in ("exec", "run")),
)
_PODS = tuple(_carrier(verb, after_dashes=True) for verb in ("exec", "run", "debug"))
_PROJECT = (
    _carrier("run", "-C -n -p --directory --env-file --extra --group --name --package --project --python --with"),
)
_CARRIERS: dict[str, tuple[_Carrier, ...]] = {
    "ssh": (_carrier("", _SSH, 1),),
    "sshpass": (_carrier("", "-d -f -p -P"),),
    **dict.fromkeys(_ENGINES, _ENGINE),
    **dict.fromkeys(("docker-compose", "podman-compose"), _COMPOSE),
    **dict.fromkeys(("kubectl", "oc"), _PODS),
    **dict.fromkeys(("poetry", "pipenv", "pdm", "hatch", "rye", "uv", "conda", "mamba", "micromamba"), _PROJECT),
    "bundle": (_carrier("exec"),),
    **dict.fromkeys(("aws-vault", "chamber", "teller", "doppler", "op", "infisical"), _PODS),
}
_FIND_STARTS = frozenset(("-exec", "-execdir", "-ok", "-okdir"))
_SEPARATORS = frozenset((";", "&&", "||", "|", "&"))
"""Words that separate commands where a shell reads the joined words once more, as the one behind ssh does."""


def carried_commands(program: str, words: list[Word], end: int) -> Iterator[tuple[list[Word], int]]:
    """Each command among the words of `program` (the first of `words`), and the offset at which it ends."""
    if program == "find":
        yield from _of_find(words, end)
        return
    if program in _ENGINES:
        yield from ((entrypoint, end) for entrypoint in _entrypoints(words))
    for carrier in _CARRIERS.get(program, ()):
        carried = _carried(carrier, words)
        if carried:
            yield from _separated(carried, end) if program == "ssh" else [(carried, end)]
            return


def past_options(words: list[Word], index: int, options: frozenset[str], own: int) -> int:
    """The index after a command's options, their values, assignments, and the words that are its own."""
    while index < len(words):
        text = words[index].text
        if text == "--":
            index += 1
            break
        if text.startswith("-") and len(text) > 1:
            index += 2 if text in options else 1
        elif ASSIGNMENT.match(text):
            index += 1
        else:
            break
    return index + own


def _carried(carrier: _Carrier, words: list[Word]) -> list[Word]:
    """The command that a carrier starts; empty if these words are none of its."""
    index = 1
    for verb in carrier.verbs:
        index = past_options(words, index, _GLOBAL, 0)
        if index >= len(words) or words[index].text != verb:
            return []
        index += 1
    if carrier.after_dashes:
        return next((words[at + 1 :] for at in range(index, len(words)) if words[at].text == "--"), [])
    index = past_options(words, index, carrier.options, 0)
    return words[past_options(words, index + carrier.own, carrier.options, 0) if carrier.own else index :]


_GLOBAL = _carrier(
    "",
    "-c -f -H -n -p --cluster --config --context --directory --env-file --file --host --kubeconfig --namespace"
    " --profile --project --project-directory --project-name --user",
).options
"""Options with a value that stand before a verb: of docker, of compose, of kubectl, of uv."""


def _entrypoints(words: list[Word]) -> Iterator[list[Word]]:
    """What a container is to run in place of its image's own program."""
    for index, word in enumerate(words):
        option, joint, value = word.text.partition("=")
        if option == "--entrypoint" and joint:
            yield [Word(word.offset, value, value)]
        elif option == "--entrypoint" and index + 1 < len(words):
            yield [words[index + 1]]


def _of_find(words: list[Word], end: int) -> Iterator[tuple[list[Word], int]]:
    """What stands between `-exec` and `;` or `+`."""
    start: int | None = None
    for index, word in enumerate(words):
        if start is None:
            start = index + 1 if word.text in _FIND_STARTS else None
        elif word.text in (";", "+"):
            if start < index:
                yield words[start:index], word.offset
            start = None
    if start is not None and start < len(words):
        yield words[start:], end


def _separated(words: list[Word], end: int) -> Iterator[tuple[list[Word], int]]:
    """The words of ssh, at what its shell takes for the end of a command."""
    start = 0
    for index, word in enumerate(words):
        if word.text in _SEPARATORS:
            if start < index:
                yield words[start:index], word.offset
            start = index + 1
    if start < len(words):
        yield words[start:], end
