"""Write the tables of inputs and outputs into each action's README; `--check` only says what is stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- {kind}: generated from action.yml by scripts/generate_action_docs.py -->"
END = "<!-- end of {kind} -->"


def tables() -> dict[Path, Path]:
    """Each README with the action.yml whose tables it holds."""
    found = {action.with_name("README.md"): action for action in sorted(ROOT.glob("actions/*/action.yml"))}
    return found | {ROOT / "actions" / "README.md": ROOT / "action.yml"}


def with_tables(readme: str, action: Mapping[str, Any]) -> str:
    """The README's text with current tables between its markers. Raises ValueError where a marker is missing."""
    readme = _replace(readme, "inputs", inputs_table(action["inputs"]))
    return _replace(readme, "outputs", outputs_table(action["outputs"]))


def _replace(text: str, kind: str, table: str) -> str:
    begin, end = BEGIN.format(kind=kind), END.format(kind=kind)
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"no marker {begin!r} followed by {end!r}")
    return f"{before}{begin}\n\n{table}\n{end}{after}"


def inputs_table(inputs: Mapping[str, Any]) -> str:
    """A table of an action's inputs, with a line's end."""
    rows = [f"| `{name}` | {_default(facts)} | {_cell(facts['description'])} |" for name, facts in inputs.items()]
    return "\n".join(["| input | default | meaning |", "|---|---|---|", *rows, ""])


def outputs_table(outputs: Mapping[str, Any]) -> str:
    """A table of its outputs."""
    rows = [f"| `{name}` | {_cell(facts['description'])} |" for name, facts in outputs.items()]
    return "\n".join(["| output | meaning |", "|---|---|", *rows, ""])


def _default(facts: Mapping[str, Any]) -> str:
    default = str(facts.get("default", ""))
    return f"`{_cell(default)}`" if default else "(empty)"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write them, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a table is stale")
    check = parser.parse_args().check
    stale = []
    for readme, action in tables().items():
        now = readme.read_text("utf-8")
        wanted = with_tables(now, yaml.safe_load(action.read_text("utf-8")))
        if wanted != now:
            stale.append(readme.relative_to(ROOT))
            if not check:
                readme.write_text(wanted, "utf-8")
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
