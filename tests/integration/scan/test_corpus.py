"""Recall and precision on the labelled corpus of real excerpts (`tests/corpus`), class by class."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis.gates.scan.candidates import wanted_names
from aegis.gates.scan.catalogue import Catalogue, load
from aegis.gates.scan.extract.route import extractors_for
from aegis.gates.scan.model import Statement

CORPUS = Path(__file__).parents[2] / "corpus"
CLASSES = ("dynamic", "embedded", "cli", "manifest", "image", "ci")
CLASS_OF_FORM = {
    "dynamic": "dynamic",
    "embedded": "embedded",
    "command": "cli",
    "manifest": "manifest",
    "image": "image",
    "action": "ci",
}
GOAL = 0.97


@dataclass(frozen=True)
class Use:
    """What a label and a finding have in common."""

    line: int
    surface: str
    form: str
    name: str


@dataclass
class Score:
    """The outcome of one class."""

    hits: int = 0
    missed: int = 0
    extra: int = 0

    @property
    def recall(self) -> float:
        """Labels that were found."""
        return self.hits / max(1, self.hits + self.missed)

    @property
    def precision(self) -> float:
        """Findings that are labelled."""
        return self.hits / max(1, self.hits + self.extra)


def cases() -> list[dict[str, Any]]:
    """Every case of every class."""
    return [json.loads(line) for name in CLASSES for line in (CORPUS / f"{name}.jsonl").read_text("utf-8").splitlines()]


def found_uses(case: dict[str, Any], wanted: re.Pattern[str], catalogue: Catalogue) -> list[Use]:
    """What the extractors and the catalogue say about a case, in the classes that the corpus is about."""
    statements: dict[Statement, None] = {}
    for extract in extractors_for(case["path"], case["content"][:200]):
        for item in extract(case["content"], wanted, None):
            if isinstance(item, Statement) and catalogue.match(item.surface, item.name):
                statements.setdefault(item)
    return [Use(s.line, s.surface, s.form, s.name) for s in statements if s.form in CLASS_OF_FORM]


def is_found(label: Use, use: Use) -> bool:
    """Whether a finding is what the label says. A label gives a command's first words."""
    same_name = use.name == label.name or (label.form == "command" and use.name.startswith(f"{label.name} "))
    return (label.line, label.surface, label.form) == (use.line, use.surface, use.form) and same_name


def judge() -> tuple[dict[str, Score], list[str]]:
    """The score of each class, and every disagreement."""
    catalogue = load()
    wanted = wanted_names(catalogue)
    scores = {name: Score() for name in CLASSES}
    notes: list[str] = []
    for case in cases():
        labels = [Use(**label) for label in case["expect"]]
        uses = found_uses(case, wanted, catalogue)
        for label in labels:
            match = next((use for use in uses if is_found(label, use)), None)
            if match is None:
                scores[CLASS_OF_FORM[label.form]].missed += 1
                notes.append(f"missed {case['id']} {label}  ({case['source']})")
            else:
                uses.remove(match)
                scores[CLASS_OF_FORM[label.form]].hits += 1
        for use in uses:
            scores[CLASS_OF_FORM[use.form]].extra += 1
            notes.append(f"extra {case['id']} {use}  ({case['source']})")
    return scores, notes


@pytest.fixture(scope="module")
def judged() -> tuple[dict[str, Score], list[str]]:
    return judge()


@pytest.mark.parametrize("name", CLASSES)
def test_recall_and_precision(judged: tuple[dict[str, Score], list[str]], name: str) -> None:
    scores, notes = judged
    score = scores[name]
    print(f"{name}: recall {score.recall:.1%}, precision {score.precision:.1%} ({score})")
    assert score.recall >= GOAL, "\n".join(notes)
    assert score.precision >= GOAL, "\n".join(notes)


def test_every_disagreement_is_documented(judged: tuple[dict[str, Score], list[str]]) -> None:
    documented = (CORPUS / "README.md").read_text("utf-8")
    unknown = [note for note in judged[1] if note.split()[1] not in documented]
    assert not unknown, "\n".join(unknown)


def test_size_of_the_corpus() -> None:
    all_cases = cases()
    near_misses = [case for case in all_cases if not case["expect"]]
    synthetic = [case for case in all_cases if case["synthetic"]]
    assert len(all_cases) >= 300
    assert len(near_misses) >= 100
    assert len(synthetic) * 5 <= len(all_cases)
    assert all(len(case["content"].splitlines()) <= 10 for case in all_cases)
    assert not [name for name, count in Counter(case["id"] for case in all_cases).items() if count > 1]


if __name__ == "__main__":
    table, disagreements = judge()
    for each, result in table.items():
        print(f"{each:9} recall {result.recall:6.1%}  precision {result.precision:6.1%}  {result}")
    print("\n".join(disagreements))
