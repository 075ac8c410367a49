"""What a scan costs and finds beside semgrep and ruff, on the same repositories, in turn: `python benchmarks/scan.py`.

    python benchmarks/scan.py [--runs N] [REPOSITORY …]

The repositories are releases of open source projects; a pull request is two of them in turn, of which all changed files
are taken, or at most ten with an SDK or without any token of one. CPU seconds are user and system of the whole process
tree, the median of the runs; memory is the peak of the largest process. The oracle is Python's own parser (`ast`) with
the same prefixes, so each tool is asked the same question; the scanner answers more than that in the same time.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from aegis.gates.scan.catalogue import Catalogue, load  # noqa: E402 - the paths above must stand first
from aegis.startup.environment import environment, python_of, semgrep_core  # noqa: E402
from benchmarks.startup import base_python  # noqa: E402
from tests.support.programs.thirdparty import fetch_wheel, pinned_wheels  # noqa: E402

SEMGREP = "1.182.0"
FEW = 10
"""Changed files of a small pull request."""
RELEASES: Mapping[str, tuple[str, ...]] = {
    # SDKs are rare in the first two and common in the others.
    "home-assistant": ("homeassistant",),
    "metaflow": ("metaflow",),
    "localstack": ("localstack-core",),
    "cloud-custodian": ("c7n",),
    "airflow": (
        "apache-airflow-providers-amazon",
        "apache-airflow-providers-google",
        "apache-airflow-providers-microsoft-azure",
    ),
}
BEFORE: Mapping[str, tuple[str, str]] = {
    "homeassistant": ("2024.2.5", "a4aa7d468a80f9eeca1c707aac4030e46424569c0052c7b878c377833d91870b"),
    "metaflow": ("2.19.20", "8734903f8f1927d518091083c5293ccaab22647ded012f4b03fda74b8dce54d7"),
    "localstack-core": ("4.14.0", "f50e9e8f3f7d3080f0e58f9922041f1cae10380976ff356ab112a174c706080d"),
    "c7n": ("0.9.48", "867655c91925810bbec783844ce6bd3b835a1a943725f4ef6f23746b66b2a50d"),
    "apache-airflow-providers-amazon": ("9.30.0", "d143cba36284a7d9f1fc995cd144cfb2911d87405b8dd5e131a018f6f734131f"),
}
"""An earlier release: version and SHA-256. What is not here does not change in the pull request."""
BUILT = re.compile(r"translations/(?!en\.json)|\.dist-info/|/static/dist/|/node_modules/")
"""What a wheel holds and the project's repository does not."""
MEASURE = """
import json, os, subprocess, sys
with open(sys.argv[1], "wb") as out, open(sys.argv[2], "wb") as err:
    child = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    _, status, used = os.wait4(child.pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""
"""A small process in between: a child's peak memory counts what its parent had when it forked."""

Places = set[tuple[str, int]]
Words = list[str | Path]


@dataclass(frozen=True)
class Tool:
    """A way to ask the question."""

    name: str
    command: Words
    env: Mapping[str, str]
    found: Callable[[str], Places]
    allowed: tuple[int, ...] = (0, 1)


@dataclass(frozen=True)
class Result:
    """Medians of some runs, and what was found."""

    seconds: float
    megabytes: float
    found: Places


@dataclass(frozen=True)
class Task:
    """A state of a repository and the question about it."""

    title: str
    base: str | None
    oracle: Places


class Tools:
    """The tools of one run, each in its own environment."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        cache = _user_cache() / "aegis-benchmark"
        runner = cache / "aegis"
        self._folder = folder
        self._python = python_of(environment("scan", ROOT, runner))
        semgrep_core(ROOT, runner)
        self._semgrep = _semgrep(cache)
        prefixes = sorted(
            e.literal for e in catalogue.entries("python") if e.kind != "wrapper" and "*" not in e.literal
        )
        self._rules, self._ruff = folder / "rules.json", folder / "ruff.toml"
        self._rules.write_text(json.dumps({"rules": [_semgrep_rule(prefixes)]}))
        self._ruff.write_text(_ruff_settings(prefixes))
        self.prefixes = frozenset(prefixes)
        kept = ("PATH", "HOME", "SSL_CERT_FILE", "HTTPS_PROXY")
        self._env = {name: os.environ[name] for name in kept if name in os.environ}
        self._env |= {"RUNNER_TEMP": str(cache), "GIT_CONFIG_GLOBAL": os.devnull}

    def for_task(self, task: Task, repository: Path) -> list[Tool]:
        """Those that can answer: ruff knows no pull requests."""
        launch: Words = [self._python, "-I", "-X", "utf8", ROOT / "src/aegis/startup/launch.py", "scan", "--strict"]
        base: Words = ["--base", task.base] if task.base else []
        scan = Tool("aegis scan", [*launch, *base, "--format", "json"], self._env, _aegis_places)
        tools = [scan, self._step(task, repository)]
        options: Words = ["--config", self._rules, "--metrics", "off", "--disable-version-check", "--json", "--quiet"]
        options += ["--baseline-commit", task.base] if task.base else []
        for name, more in (("semgrep scan", []), ("semgrep scan --experimental", ["--experimental"])):
            tools.append(Tool(name, [self._semgrep, "scan", *more, *options, "."], self._env, _semgrep_places))
        if task.base is None:
            ruff = Path(sys.executable).with_name("ruff")
            command: Words = [ruff, "check", "--no-cache", "--config", self._ruff, "--output-format", "json", "."]
            tools.append(Tool("ruff TID251", command, self._env, _ruff_places(repository)))
        return tools

    def _step(self, task: Task, repository: Path) -> Tool:
        """The action's whole step, from its first line on; its environment is there already."""
        output = self._folder / "output"
        for name in ("outputs", "summary"):
            (self._folder / name).touch()
        env = {
            **self._env, "GITHUB_WORKSPACE": str(repository), "AEGIS_INPUT_STRICT": "true",
            "AEGIS_INPUT_UPLOAD": "never", "AEGIS_INPUT_OUTPUT": str(output), "AEGIS_INPUT_BASE": task.base or "",
            "GITHUB_OUTPUT": str(self._folder / "outputs"), "GITHUB_STEP_SUMMARY": str(self._folder / "summary"),
        }  # fmt: skip
        command: Words = [base_python(), "-I", ROOT / "src/aegis/startup/main.py", "run", "scan"]
        return Tool("the action's step", command, env, lambda _: _aegis_places((output / "verdict.json").read_text()))


def measure(tool: Tool, repository: Path, folder: Path) -> Result:
    """One run of a tool."""
    out, err = folder / "stdout", folder / "stderr"
    command = [sys.executable, "-I", "-c", MEASURE, out, err, *tool.command]
    done = subprocess.run(command, cwd=repository, env=dict(tool.env), capture_output=True, text=True, check=True)
    code, seconds, kilobytes = json.loads(done.stdout)
    if code not in tool.allowed:
        raise SystemExit(f"{tool.name} ended with {code}: {err.read_text()[-2000:]}{out.read_text()[-2000:]}")
    return Result(seconds, kilobytes / 1024, tool.found(out.read_text()))


def compare(task: Task, tools: Sequence[Tool], repository: Path, folder: Path, runs: int) -> None:
    """Run all tools in turn, several times, and print what they need beside each other."""
    results: dict[str, list[Result]] = {tool.name: [] for tool in tools}
    for _ in range(runs):
        for tool in tools:
            results[tool.name].append(measure(tool, repository, folder))
    ours = statistics.median(each.seconds for each in results["aegis scan"])
    print(f"\n### {task.title}\n\n| | CPU s | aegis scan is | peak MB | oracle's lines |\n|---|--:|--:|--:|--:|")
    for name, each in results.items():
        seconds = statistics.median(one.seconds for one in each)
        peak = max(one.megabytes for one in each)
        hits = f"{len(each[0].found & task.oracle)}/{len(task.oracle)}"
        print(f"| {name} | {seconds:.2f} | {ours / seconds:.2f} x | {peak:.0f} | {hits} |", flush=True)


def tasks(name: str, repository: Path, tools: Tools, roots: re.Pattern[bytes]) -> Iterator[Task]:
    """Set the work tree to one state after the other; the repository must hold `before` and `after`."""
    _git(repository, "checkout", "-q", "after")
    files = len(_git(repository, "ls-files").splitlines())
    yield Task(f"{name}, whole: {files} files", None, _oracle(repository, tools.prefixes, None))
    changed = _git(repository, "diff", "--name-only", "--diff-filter=AM", "before", "after").splitlines()
    content = {path: (repository / path).read_bytes() for path in changed}
    imports = _oracle(repository, tools.prefixes, set(changed))
    with_sdk = sorted(changed, key=lambda path: (path not in {p for p, _ in imports}, path))[:FEW]
    without = [path for path in changed if path.endswith(".py") and not roots.search(content[path])][:FEW]
    for kind, chosen in (("all changes", changed), ("with an SDK", with_sdk), ("no token", without)):
        _git(repository, "checkout", "-q", "-f", "--detach", "before")
        _git(repository, "checkout", "-q", "after", "--", *chosen)
        _git(repository, "commit", "-q", "--allow-empty", "-m", kind)
        added = _added(repository)
        oracle = {place for place in _oracle(repository, tools.prefixes, set(chosen)) if place in added}
        yield Task(f"{name}, pull request, {kind}: {len(chosen)} files", "before", oracle)


def build(name: str, repository: Path) -> None:
    """A repository with the releases of a project as the tags `before` and `after`."""
    pins = {wheel.name: wheel for wheel in pinned_wheels()}
    repository.mkdir()
    _git(repository, "init", "-q")
    for tag in ("before", "after"):
        for entry in repository.iterdir():
            if entry.name != ".git":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for project in RELEASES[name]:
            version, sha256 = BEFORE.get(project, ("", "")) if tag == "before" else ("", "")
            pin = pins[project]
            _copy(fetch_wheel(project, version or pin.version, sha256 or pin.sha256), repository)
        _git(repository, "add", "--all", "--force")
        _git(repository, "commit", "-q", "-m", tag)
        _git(repository, "tag", tag)


def _copy(wheel: Path, repository: Path) -> None:
    for file in wheel.rglob("*"):
        path = file.relative_to(wheel)
        if file.is_file() and not BUILT.search(f"/{path.as_posix()}"):
            (repository / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, repository / path)


def _added(repository: Path) -> Places:
    """The lines that the last commit added."""
    found: Places = set()
    path = ""
    for line in _git(repository, "diff", "-U0", "--no-renames", "before", "HEAD").splitlines():
        if line.startswith("+++ "):
            path = line.removeprefix("+++ b/")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            found |= {(path, number) for number in range(first, first + count)}
    return found


def _oracle(repository: Path, prefixes: frozenset[str], paths: set[str] | None) -> Places:
    """Where Python's parser sees an import of a prefix."""
    found: Places = set()
    for path in _git(repository, "ls-files", "*.py").splitlines():
        if paths is not None and path not in paths:
            continue
        try:
            tree = ast.parse((repository / path).read_bytes())
        except SyntaxError:  # newer than the Python that runs this
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and any(_within(n, prefixes) for n in _names(node)):
                found.add((path, node.lineno))
    return found


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [] if node.level or not node.module else [f"{node.module}.{alias.name}" for alias in node.names]


def _within(name: str, prefixes: frozenset[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in prefixes for count in range(1, len(parts) + 1))


def _semgrep_rule(prefixes: Sequence[str]) -> dict[str, Any]:
    either = [{"pattern": f"import {prefix}"} for prefix in prefixes]
    return {"id": "sdk", "languages": ["python"], "severity": "ERROR", "message": "SDK", "pattern-either": either}


def _ruff_settings(prefixes: Sequence[str]) -> str:
    banned = "".join(f'"{prefix}".msg = "SDK"\n' for prefix in prefixes)
    return f'lint.select = ["TID251"]\n[lint.flake8-tidy-imports.banned-api]\n{banned}'


def _aegis_places(output: str) -> Places:
    return {(each["path"], each["line"]) for each in json.loads(output)["findings"] if each.get("line")}


def _semgrep_places(output: str) -> Places:
    return {(each["path"].removeprefix("./"), each["start"]["line"]) for each in json.loads(output)["results"]}


def _ruff_places(repository: Path) -> Callable[[str], Places]:
    def places(output: str) -> Places:
        # ruff tells where the name stands; in a list over several lines that is not where the statement starts.
        return {
            (os.path.relpath(each["filename"], repository.resolve()), line)
            for each in json.loads(output)
            for line in _statement_lines(Path(each["filename"]), each["location"]["row"])
        }

    return places


def _statement_lines(file: Path, row: int) -> Iterator[int]:
    """The line, and the lines above it up to the one that opens the list of names."""
    yield row
    lines = file.read_text(errors="replace").splitlines()
    while row > 1 and not re.match(r"\s*(?:from|import)\b", lines[row - 1]):
        row -= 1
    yield row


def _semgrep(cache: Path) -> Path:
    """The command as its users install it."""
    place = cache / f"semgrep-{SEMGREP}"
    if not (place / "complete").exists():
        subprocess.run([base_python(), "-m", "venv", "--clear", place], check=True)
        subprocess.run([place / "bin" / "pip", "install", "--quiet", f"semgrep=={SEMGREP}"], check=True)
        (place / "complete").touch()
    return place / "bin" / "semgrep"


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _git(repository: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=b", "-c", "user.email=b@example.org", "-c", "core.quotePath=false", "-c", "gc.auto=0")
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", *settings, *arguments]
    return subprocess.run(command, cwd=repository, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("repositories", nargs="*", metavar="REPOSITORY", help=f"some of {', '.join(RELEASES)}")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", default="", metavar="TEXT", help="measure the tasks whose title holds it")
    arguments = parser.parse_args()
    if unknown := set(arguments.repositories) - RELEASES.keys():
        parser.error(f"{sorted(unknown)[0]!r} is none of {', '.join(RELEASES)}")
    catalogue = load()
    roots = re.compile("|".join(map(re.escape, (*catalogue.roots, *catalogue.command_roots))).encode(), re.IGNORECASE)
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as temporary:
        folder = Path(temporary)
        tools = Tools(folder, catalogue)
        for name in arguments.repositories or RELEASES:
            repository = folder / name
            build(name, repository)
            for task in tasks(name, repository, tools, roots):
                if arguments.only in task.title:
                    compare(task, tools.for_task(task, repository), repository, folder, arguments.runs)
            shutil.rmtree(repository)
    return 0


if __name__ == "__main__":
    sys.exit(main())
