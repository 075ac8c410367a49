"""Writes what is generated from the providers' files: `python -m aegis.gates.scan.catalogue.generate` in a checkout."""

from __future__ import annotations

from pathlib import Path

from aegis.gates.scan.catalogue import page
from aegis.gates.scan.catalogue.compile import compile_index, dump, read_providers, schema
from aegis.gates.scan.catalogue.lookup import INDEX


def generated(root: Path) -> dict[Path, str]:
    """Every generated file of a checkout with what it should hold."""
    providers = read_providers()
    return {
        INDEX: dump(compile_index(providers)),
        root / "docs" / "catalogue.md": page.render(providers),
        root / "docs" / "schemas" / "catalogue.schema.json": schema(),
    }


def main() -> None:
    """Write them all."""
    for path, text in generated(Path.cwd()).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
