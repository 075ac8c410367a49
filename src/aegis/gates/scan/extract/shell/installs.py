"""The packages that a command line installs and the image that it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.gates.scan.extract.shell.lexer import Word
from aegis.gates.scan.model import Form, Surface

_Verbs = tuple[tuple[str, ...], ...]


def _verbs(text: str) -> _Verbs:
    """Commands and their verbs, `;` between them."""
    return tuple(tuple(each.split()) for each in text.split(";"))


def _options(text: str) -> frozenset[str]:
    """Options whose value is the next word."""
    return frozenset(text.split())


_PYPI_INSTALL = _verbs(
    "pip install; pip download; pip wheel; pipx install; pipx run; pipx inject; uv pip install; uv add; uv"
    " tool install;"
    "uv tool run; uvx; poetry add; pdm add; pipenv install; rye add; easy_install; conda install; conda create;"
    "mamba install; mamba create; micromamba install; micromamba create"
)
_PYPI_OPTIONS = _options(
    "-r -c -e -i -t -f -p -d -n -G --requirement --constraint --editable --index-url --extra-index-url"
    " --target --find-links"
    " --python --platform --prefix --root --src --cache-dir --proxy --timeout --retries --trusted-host"
    " --upgrade-strategy"
    " --python-version --implementation --abi --no-binary --only-binary --log --cert --client-cert --progress-"
    " bar --dest"
    " --group --extra --channel --name"
)
_NPM_INSTALL = _verbs(
    "npm install; npm i; npm add; npm exec; npx; yarn add; yarn global add; yarn dlx; pnpm add; pnpm install; pnpm i;"
    "pnpm dlx; bun add; bun install; bunx"
)
_NPM_OPTIONS = _options("--registry --prefix -w --workspace --cwd --filter -C --dir --tag --loglevel --cache")
_RUNS_ONE = frozenset(("npx", "bunx", "uvx", "dlx", "exec", "run", "inject"))
"""Verbs whose first operand is the package; what follows are arguments of its program."""
_GO_INSTALL = _verbs("go get; go install; go run")
_GO_OPTIONS = _options("-o -C -mod -modfile -tags -ldflags -gcflags -asmflags -p -exec -overlay -pkgdir -toolexec")
_ENGINES = ("docker", "podman", "nerdctl", "buildah", "crane", "skopeo")
_ENGINE_VERBS = ("run", "pull", "create", "container run", "container create", "image pull", "from")
_IMAGE_RUN = _verbs(";".join(f"{engine} {verb}" for engine in _ENGINES for verb in _ENGINE_VERBS))
_IMAGE_OPTIONS = _options(
    "-v -e -w -u -p -h -l -m -a -c --name --volume --env --workdir --user --publish --network --net"
    " --entrypoint --env-file"
    " --mount --platform --label --hostname --memory --cpus --cpu-shares --add-host --dns --restart --log-"
    " driver --log-opt"
    " --link --gpus --volumes-from --cap-add --cap-drop --device --ulimit --shm-size --tmpfs --pull --security-"
    " opt --pid"
    " --ipc --cidfile --stop-signal --runtime --userns --health-cmd --expose --ip --arch --os --authfile"
)
_KUBECTL_IMAGE = re.compile(r"--image=(.+)")

_PYPI_NAME = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[^\]]*\])?(?:$|[<>=!~;@ ])")
_NPM_NAME = re.compile(r"((?:@[\w.-]+/)?[\w.-]+)(?:@(?:npm:((?:@[\w.-]+/)?[\w.-]+))?.*)?$")
_GO_NAME = re.compile(r"([\w.-]+\.[a-z]+/[^@\s]+?)(?:/?\.\.\.)?(?:@.*)?$")


def declared(program: str, words: list[Word]) -> Iterator[tuple[Surface, Form, str, Word]]:
    """Each package and image that the command line of `program` (the first of `words`) asks for, and its word."""
    if program.startswith("python") and len(words) > 2 and words[1].text == "-m":
        program, words = words[2].text, words[2:]
    if re.fullmatch(r"pip[\d.]+", program):
        program = "pip"
    for word in _operands(program, words, _PYPI_INSTALL, _PYPI_OPTIONS):
        for text in word.literal.split() if word.quoted else [word.literal]:
            found = _PYPI_NAME.match(text.rpartition("::")[2])
            if found:
                yield "pypi", "manifest", found[1], word
    if program in ("uv", "uvx"):
        yield from _beside(words)
    for word in _operands(program, words, _NPM_INSTALL, _NPM_OPTIONS):
        package = _NPM_NAME.match(word.literal)
        if package:
            yield "npm", "manifest", package[2] or package[1], word
    for word in _operands(program, words, _GO_INSTALL, _GO_OPTIONS):
        module = _GO_NAME.match(word.literal)
        if module:
            yield "go", "manifest", module[1], word
    for word in list(_operands(program, words, _IMAGE_RUN, _IMAGE_OPTIONS))[:1]:
        yield "image", "image", word.literal.removeprefix("docker://"), word
    if program in ("kubectl", "oc"):
        yield from _kubectl(words)


def _beside(words: list[Word]) -> Iterator[tuple[Surface, Form, str, Word]]:
    """`uv run --with NAME,NAME …`: packages that are installed for one run."""
    for index, word in enumerate(words):
        option, glued, value = word.literal.partition("=")
        if option in ("--with", "--from"):
            given = value if glued else "".join(each.literal for each in words[index + 1 : index + 2])
            for name in filter(None, map(_PYPI_NAME.match, given.split(","))):
                yield "pypi", "manifest", name[1], word


def _kubectl(words: list[Word]) -> Iterator[tuple[Surface, Form, str, Word]]:
    """`kubectl run NAME --image=…`."""
    for index, word in enumerate(words):
        found = _KUBECTL_IMAGE.match(word.literal)
        if found:
            yield "image", "image", found[1], word
        elif word.text == "--image" and index + 1 < len(words):
            yield "image", "image", words[index + 1].literal, words[index + 1]


def _operands(program: str, words: list[Word], verbs: _Verbs, options: frozenset[str]) -> list[Word]:
    """The operands of a command that begins with one of `verbs`, options and their values left out."""
    if not any(verb[0] == program for verb in verbs):
        return []
    plain: list[Word] = []
    skip = False
    for word in words[1:]:
        if skip:
            skip = False
        elif word.text.startswith("-") and word.text != "-":
            skip = word.text in options
        else:
            plain.append(word)
    spoken = (program, *(word.text for word in plain))
    best = max((verb for verb in verbs if spoken[: len(verb)] == verb), key=len, default=())
    if not best:
        return []
    operands = plain[len(best) - 1 :]
    return operands[:1] if best[-1] in _RUNS_ONE else operands
