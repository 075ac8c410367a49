"""Record examples of reason codes from tests: `record_gallery.py` for codes without one, by tests that name them.

`record_gallery.py tests/unit/audit …` looks at these tests alone, and `--again` replaces what is there. Runs the tests
with the plug-in `tests.support.pages.recorder`, makes what it kept the same on every machine, and puts it into
docs/gallery/recorded. `--from FOLDER` takes what an earlier run of the plug-in left there. Then `make docs`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from aegis.core.codes import CODES  # noqa: E402 - the source tree must be found first
from scripts.pages.gallery import RECORDED, recorded  # noqa: E402
from tests.support.pages.recorder import ABOUT_ALL  # noqa: E402

_MACHINE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\w./-]*/\.venv/bin/python[\d.]*"), "/usr/bin/python3"),
    (re.compile(r"/root/[\w./-]+|/home/(?!runner)[\w./-]+"), "/home/runner/cache"),
    # a test's own folder, whose last part names the test
    (re.compile(r"/tmp/pytest-of-[\w-]+/pytest-\d+/(?:popen-gw\d+/)?[\w.-]+?\d+(?=[/\W]|$)"), "/work"),  # noqa: S108
    (re.compile(r"/tmp/[\w.-]+"), "/work/scratch"),  # noqa: S108
    (re.compile(re.escape(str(ROOT))), "/work/aegis"),
    (re.compile(r"(?<=127\.0\.0\.1:)\d+|(?<=localhost:)\d+|(?<=\[::1\]:)\d+"), "8080"),
    (re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?"), "2026-01-02T03:04:05"),
    (re.compile(r"(?<=process )\d+|(?<=pid )\d+"), "4242"),
)
_DIGEST = re.compile(r"\b[0-9a-f]{40,64}\b")


def main() -> int:
    """Record, and say which codes have no example yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", nargs="*")
    parser.add_argument("--again", action="store_true", help="replace examples that are there")
    parser.add_argument("--every", action="store_true", help="run also tests that name no code without an example")
    parser.add_argument("--from", dest="folders", type=Path, action="append", default=[], metavar="FOLDER")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folders = list(options.folders)
        codes = [] if options.again or options.every else lacking()
        tests = options.tests or ([] if folders else naming(codes))
        if tests:
            folders.append(Path(scratch))
            _run(tests, Path(scratch), codes)
        found = best(example for folder in folders for example in _read(folder))
    _merge(found, again=options.again)
    return 0


def lacking() -> list[str]:
    """Codes without an example, or whose example is of a test that does not name them."""
    there = recorded()
    return [code for code in CODES if any(there.get(code, {}).get("rank", [True])[:2])]


def naming(codes: Iterable[str]) -> list[str]:
    """Few files of tests that name these codes, at most two for each."""
    texts = {
        file.relative_to(ROOT).as_posix(): file.read_text("utf-8")
        for folder in ("integration", "unit")
        for file in sorted((ROOT / "tests" / folder).rglob("test_*.py"))
    }
    found: dict[str, None] = {}
    for code in codes:
        quoted = f'"{code.partition(".")[2]}"'
        own = [name for name, text in texts.items() if code in text] or [
            name for name, text in texts.items() if quoted in text
        ]
        own = [name for name in own if not name.startswith(ABOUT_ALL)]
        found |= dict.fromkeys([name for name in own if name in found][:2] or own[:2])
    return list(found)


def _run(tests: list[str], folder: Path, codes: list[str]) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
            "-p",
            "tests.support.pages.recorder",
            *tests,
        ],
        cwd=ROOT,
        env=os.environ | {"AEGIS_RECORD": str(folder), "AEGIS_RECORD_CODES": ",".join(codes)},
        check=False,
    )
    if done.returncode != 0:
        print("not all of these tests pass; what those saw that do is recorded")


def _read(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.rglob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            yield json.loads(line)


def best(examples: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each code the example with the least rank, without what is of one machine."""
    found: dict[str, dict[str, Any]] = {}
    for example in sorted(examples, key=lambda one: (one["rank"], one["test"], json.dumps(one, sort_keys=True))):
        found.setdefault(example["code"], example)
    return {
        code: anywhere({key: value for key, value in example.items() if key != "code"})
        for code, example in found.items()
    }


def anywhere(value: Any, digests: dict[str, str] | None = None) -> Any:
    """The same without paths, ports, times and digests of the machine that recorded it.

    Of two digests in one example each gets one of its own; one of a single digit, which a test made up, stays.
    """
    digests = {} if digests is None else digests
    if isinstance(value, str):
        for pattern, instead in _MACHINE:
            value = pattern.sub(instead, value)
        return _DIGEST.sub(lambda found: found[0] if len(set(found[0])) == 1 else _digest(found[0], digests), value)
    if isinstance(value, dict):
        return {key: anywhere(each, digests) for key, each in value.items()}
    return [anywhere(each, digests) for each in value] if isinstance(value, list) else value


def _digest(text: str, digests: dict[str, str]) -> str:
    """Of the same length, by its place among those of the example."""
    made = hashlib.sha256(str(len(digests)).encode()).hexdigest()
    return digests.setdefault(text, made[: len(text)])


def _better(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["rank"][:2] < other.get("rank", [True, True])[:2])


def _merge(found: dict[str, dict[str, Any]], *, again: bool) -> None:
    for prefix in dict.fromkeys(code.gate for code in CODES.values()):
        file = RECORDED / f"{prefix}.json"
        there: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        new = {code: example for code, example in found.items() if code.startswith(f"{prefix}.")}
        kept = there | {
            code: each for code, each in new.items() if again or code not in there or _better(each, there[code])
        }
        kept = {code.id: kept[code.id] for code in CODES.values() if code.id in kept}
        if kept != there or list(kept) != list(there):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
            print(f"{file.relative_to(ROOT)}: {len(kept)} examples")
        lacking = [code.id for code in CODES.values() if code.gate == prefix and code.id not in kept]
        if lacking:
            print(f"without an example: {', '.join(lacking)}")


if __name__ == "__main__":
    sys.exit(main())
