"""A repository with a catalogue of its own, whose probes do what a test tells them."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.scan.gitrepo import GitRepo

GOOD = """answer("pass")"""
SEEN = """answer("fail", "probe.planted")"""
"""A fault that the probe sees for what it is."""
_PROGRAM = """\
import argparse, json, os, pathlib, signal, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--evidence", type=pathlib.Path)
parser.add_argument("--fault", default="positive")
parser.add_argument("--config", default=None)
given = parser.parse_args()
evidence = given.evidence

def document(result, reason="core.passed", name="looked", **changes):
    check = {"name": name, "result": result, "detail": "what was seen"}
    if result == "fail":
        check["reason"] = reason
    return {"schema": "urn:aegis-gates:schema:probe:v1", "result": result, "reason": reason, "checks": [check],
            "facts": {"config": given.config}, **changes}

def answer(result, reason="core.passed", **changes):
    (evidence / "probe.json").write_text(json.dumps(document(result, reason, **changes)))
    sys.exit(0 if result == "pass" else 1)

DOES = json.loads(pathlib.Path(__file__).with_suffix(".json").read_text())
exec(DOES[given.fault])
"""


@dataclass(slots=True)
class Criteria:
    """The repository, made by `make`."""

    root: Path
    probes: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        name: str,
        positive: str = GOOD,
        faults: Mapping[str, str] | None = None,
        *,
        mode: str = "local",
        **changes: Any,
    ) -> None:
        """A criterion whose probe runs this Python, and with each fault that one; both see `answer(result, reason)`."""
        does = {"positive": positive, **(faults if faults is not None else {"planted": SEEN})}
        self.probes[f"{name.lower()}_{mode}"] = {key: textwrap.dedent(text) for key, text in does.items()}
        probe = {
            "run": ["{python}", f"probes/{name.lower()}_{mode}.py"],
            "timeout": 300,
            "evidence": "nothing",
            "faults": [
                {"name": fault, "plants": f"{fault}, by the test", "reasons": ["probe.planted"]}
                for fault in does
                if fault != "positive"
            ],
            **changes,
        }
        known = next((entry for entry in self.entries if entry["id"] == name), None)
        if known is not None:
            known[mode] = probe
        else:
            self.entries.append({"id": name, "title": f"Criterion {name}", "runbook": ["a line"], mode: probe})

    def make(self) -> GitRepo:
        """Commit it all."""
        for name, does in self.probes.items():
            place = self.root / "probes" / f"{name}.py"
            place.parent.mkdir(exist_ok=True, parents=True)
            place.write_text(_PROGRAM, "utf-8")
            place.with_suffix(".json").write_text(json.dumps(does), "utf-8")
        catalogue = self.root / "acceptance" / "catalogue.yml"
        catalogue.parent.mkdir(exist_ok=True, parents=True)
        catalogue.write_text(json.dumps({"version": 1, "criteria": self.entries}), "utf-8")
        repository = GitRepo.init(self.root)
        repository.commit()
        return repository


def aegis(*words: str) -> list[str]:
    """The command as a program."""
    return [sys.executable, "-m", "aegis", "acceptance", *words]
