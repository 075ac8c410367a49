from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aegis.acceptance.catalogue import chosen, parse_catalogue, planted
from aegis.core.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
RUNBOOK_CRITERIA = ("A1", "A2", "A3", "A4", "A5", "A6", "A7")


def fault(name: str = "planted", **changes: Any) -> dict[str, Any]:
    return {"name": name, "plants": "a fault", "reasons": ["probe.planted"], **changes}


def probe(**changes: Any) -> dict[str, Any]:
    return {"run": ["true"], "timeout": 1, "evidence": "none", "faults": [fault()], **changes}


def criterion(name: str = "A1", **changes: Any) -> dict[str, Any]:
    return {"id": name, "title": "t", "runbook": ["r"], "local": probe(), **changes}


def data(*criteria: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps({"version": 1, "criteria": list(criteria) or [criterion()], **changes}).encode()


def test_what_is_left_out() -> None:
    (found,) = parse_catalogue(data(), file="catalogue.yml").criteria
    assert found.local is not None
    assert (found.staging, found.local.simulated, found.local.needs.programs, found.local.secrets) == (None, (), (), ())


WRONG = {
    "version": data(version=2),
    "no-criteria": data(criteria=[]),
    "no-probe": data(criterion(local=None)),
    "no-faults": data(criterion(local=probe(faults=[]))),
    "no-reasons": data(criterion(local=probe(faults=[fault(reasons=[])]))),
    "no-runbook": data(criterion(runbook=[])),
    "reason-without-dot": data(criterion(local=probe(faults=[fault(reasons=["planted"])]))),
    "unknown-key": data(criterion(local=probe(fault=[]))),
    "no-program": data(criterion(local=probe(run=[]))),
    "no-time": data(criterion(local=probe(timeout=0))),
    "twice": data(criterion(), criterion()),
    "fault-twice": data(criterion(local=probe(faults=[fault(), fault()]))),
    "fault-called-positive": data(criterion(local=probe(faults=[fault("positive")]))),
    "id-that-leads-elsewhere": data(criterion("../A1")),
    "id-that-is-lower": data(criterion("a1")),
    "fault-that-leads-elsewhere": data(criterion(local=probe(faults=[fault("../x")]))),
    "fault-with-line-end": data(criterion(local=probe(faults=[fault("planted\n")]))),
    "empty": b"",
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_what_is_no_catalogue(name: str) -> None:
    with pytest.raises(UsageError, match=r"catalogue\.yml") as refused:
        parse_catalogue(WRONG[name], file="catalogue.yml")
    assert refused.value.code == "acceptance.catalogue_invalid"


class TestOurs:
    """The catalogue of this repository."""

    ours = parse_catalogue((ROOT / "acceptance/catalogue.yml").read_bytes(), file="acceptance/catalogue.yml")

    def test_every_criterion_of_the_runbook_in_every_mode(self) -> None:
        assert tuple(one.id for one in self.ours.criteria) == RUNBOOK_CRITERIA
        assert all(one.local is not None and one.staging is not None for one in self.ours.criteria)

    def test_every_program_is_there_and_names_its_faults(self) -> None:
        for one in self.ours.criteria:
            for each in filter(None, (one.local, one.staging)):
                program = ROOT / each.run[1]
                text = "".join(file.read_text("utf-8") for file in (program, *program.parent.glob("*.py")))
                assert each.run[0] == "{python}"
                assert [fault.name for fault in each.faults if f'"{fault.name}"' not in text] == [], program

    def test_staging_has_no_simulated_part(self) -> None:
        assert [one.id for one in self.ours.criteria if one.staging is not None and one.staging.simulated] == []


def test_choosing() -> None:
    catalogue = parse_catalogue(data(criterion("A1"), criterion("A2"), criterion("A3")), file="c")
    assert [one.id for one in chosen(catalogue, [])] == ["A1", "A2", "A3"]
    assert [one.id for one in chosen(catalogue, ["A3", "A1", "A3"])] == ["A1", "A3"]
    with pytest.raises(UsageError, match="no criterion 'a1'"):
        chosen(catalogue, ["A1", "a1"])


def test_planting() -> None:
    two = probe(faults=[fault("one"), fault("two")])
    catalogue = parse_catalogue(data(criterion("A1", local=two), criterion("A2", local=None, staging=two)), file="c")
    assert {name: found.name for name, found in planted(catalogue.criteria, "local", ["A1"]).items()} == {"A1": "one"}
    assert planted(catalogue.criteria, "local", ["A1:two"])["A1"].name == "two"
    for wrong in (["A2"], ["A1:three"], ["A1", "A1:two"], [""], ["A1:one:two"]):
        with pytest.raises(UsageError) as refused:
            planted(catalogue.criteria, "local", wrong)
        assert refused.value.code == "acceptance.unknown_name"
