"""Write every generated file of this repository, or say which are out of date (`--check`)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from aegis.acceptance import schemas as acceptance  # noqa: E402 - the source tree must be found first
from aegis.core import schemas  # noqa: E402
from aegis.gates.scan.catalogue import generate as catalogue  # noqa: E402
from aegis.report import reasons  # noqa: E402
from scripts import generate_action_docs, generate_operator_rules, render_templates  # noqa: E402
from scripts.pages import actions, commands, gallery, policy, traceability, troubleshooting  # noqa: E402


def generated() -> Iterator[tuple[Path, str]]:
    """Each generated file with the text that it should have."""
    for name in schemas.SCHEMAS:
        yield ROOT / "docs" / "schemas" / name, schemas.rendered(name)
    for name in acceptance.SCHEMAS:
        yield ROOT / "docs" / "schemas" / name, acceptance.rendered(name)
    yield ROOT / "docs" / "reasons.md", reasons.render()
    yield from catalogue.generated(ROOT).items()
    for readme, action in generate_action_docs.tables().items():
        described = yaml.safe_load(action.read_text("utf-8"))
        yield readme, generate_action_docs.with_tables(readme.read_text("utf-8"), described)
    yield generate_operator_rules.TARGET, generate_operator_rules.rendered()
    # a chart can pack nothing from outside of its folder
    yield ROOT / "helm/files/rule-groups.yaml", generate_operator_rules.SOURCE.read_text("utf-8")
    yield from render_templates.rendered()
    yield from actions.pages()
    yield from gallery.pages()
    for page in (commands, policy, traceability, troubleshooting):
        yield page.PAGE, page.render()


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true")
    mode.add_argument("--check", action="store_true")
    write = parser.parse_args().write
    stale = [(file, text) for file, text in generated() if not file.is_file() or file.read_text("utf-8") != text]
    for file, text in stale:
        if write:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        print(f"{file.relative_to(ROOT)}: {'written' if write else 'out of date, run `make docs`'}")
    return 0 if write or not stale else 1


if __name__ == "__main__":
    sys.exit(main())
