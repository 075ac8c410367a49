"""`aegis model`, over a deployment with a real log and a real database."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from aegis.cli.main import main
from aegis.core.errors import CouldNotDecide
from tests.support.runtime.deployments import MODEL, Deployment
from tests.support.signing.verifying import content_of, signed_model

Told = pytest.CaptureFixture[str]


@pytest.fixture
def it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Its model lies beside the policy."""
    it = Deployment(tmp_path, model={"source": "./m/"})
    upload(it)
    monkeypatch.setenv("AEGIS_POLICY", str(it.config / "aegis.yml"))
    monkeypatch.setenv("AEGIS_DATA", str(it.data))
    for name in ("DATABASE_URL", "AEGIS_AUDIT", "AEGIS_HANDOFF", "AEGIS_ALERT_WEBHOOK", "AEGIS_ALERTMANAGER"):
        monkeypatch.delenv(name, raising=False)
    return it


def upload(it: Deployment, **changes: bytes) -> None:
    for name, content in {**signed_model("m/", MODEL), **{f"m/{k}": v for k, v in changes.items()}}.items():
        (it.config / name).parent.mkdir(parents=True, exist_ok=True)
        (it.config / name).write_bytes(content)


def test_a_model_is_verified(it: Deployment, capsys: Told) -> None:
    assert main(["model", "verify", "model"]) == 0
    assert capsys.readouterr().out == f"model is verified: sha256:{content_of(MODEL)}, signed by keys/0.pub\n"
    assert it.state() == "verified"


def test_as_json(it: Deployment, capsys: Told) -> None:
    assert main(["model", "verify", "model", "--format=json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verified"], told["digest"], set(told["files"])) == (True, content_of(MODEL), set(MODEL))


def test_a_model_that_is_refused(it: Deployment, capsys: Told) -> None:
    (it.config / "m/config.json").write_bytes(b"{}")
    assert main(["model", "verify", "model"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("aegis: verify.file_differs: ")
    assert main(["model", "verify", "model", "--format=json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["verified"], document["reason"]) == (False, "verify.file_differs")
    assert it.state() == "unverified"


def test_what_cannot_be_decided_and_what_is_wrong(it: Deployment, capsys: Told) -> None:
    (it.data / "audit").mkdir(mode=0o500)
    (it.data / "audit").rmdir()
    (it.data / "audit").write_bytes(b"no folder")
    assert main(["model", "verify", "model"]) == 3
    assert "audit.unavailable" in capsys.readouterr().err
    (it.config / "aegis.yml").write_text("version: 2")
    assert main(["model", "verify", "model"]) == 2
    assert "core.policy_invalid" in capsys.readouterr().err


def test_status(it: Deployment, capsys: Told) -> None:
    assert main(["model", "status"]) == 0
    assert capsys.readouterr().out == "model  never loaded\n"
    main(["model", "verify", "model"])
    capsys.readouterr()
    assert main(["model", "status", "model"]) == 0
    assert capsys.readouterr().out.startswith(f"model  verified  {content_of(MODEL)[:12]}  keys/0.pub  20")
    assert main(["model", "status", "--format=json"]) == 0
    assert [each["state"] for each in json.loads(capsys.readouterr().out)] == ["verified"]


@pytest.mark.parametrize(("words", "code"), [([], 0), (["model"], 0), (["--format=json"], 0), (["other"], 1)])
def test_a_question_makes_no_database(
    it: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: Told, words: list[str], code: int
) -> None:
    data = it.folder / "new"
    monkeypatch.setenv("AEGIS_DATA", str(data))
    assert main(["model", "status", *words]) == code
    assert capsys.readouterr().err.startswith(f"note: there is no database yet ({data}/aegis.db)")
    assert not data.exists()
    main(["model", "verify", "model"])
    capsys.readouterr()
    assert main(["model", "status", *words]) == code
    assert "no database" not in capsys.readouterr().err


def test_nor_does_one_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AEGIS_POLICY", "AEGIS_DATA", "DATABASE_URL", "AEGIS_AUDIT"):
        monkeypatch.delenv(name, raising=False)
    assert main(["model", "status"]) == 2
    assert "no database yet" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_out_of_service_and_back(it: Deployment, capsys: Told) -> None:
    assert main(["model", "quarantine", "model", "--reason", "odd answers"]) == 0
    assert capsys.readouterr().out == "model is quarantined now\n"
    assert main(["model", "verify", "model"]) == 1
    assert "runtime.model_quarantined: model is in quarantine: odd answers" in capsys.readouterr().err
    assert main(["model", "release", "model", "--reason", "a false alarm", "--format=json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "unverified"
    assert main(["model", "verify", "model"]) == 0
    assert main(["model", "revoke", "model", "--reason", "poisoned"]) == 0
    assert main(["model", "release", "model", "--reason", "no"]) == 1
    assert "runtime.transition_refused" in capsys.readouterr().err
    assert main(["model", "verify", "model"]) == 1


def test_a_decision_is_recorded_before_and_after(it: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    from aegis_multimodal_ai_system.runtime import Runtime

    monkeypatch.setattr(Runtime, "log", it.log)
    assert main(["model", "quarantine", "model", "--reason", "odd answers"]) == 0
    assert main(["model", "revoke", "model", "--reason", "worse"]) == 0
    assert main(["model", "release", "model", "--reason", "no"]) == 1
    assert [(e.action, e.outcome, e.reason) for e in it.log.events] == [
        ("model.quarantined", "unknown", "odd answers"),
        ("model.quarantined", "success", "odd answers"),
        ("model.revoked", "unknown", "worse"),
        ("model.revoked", "success", "worse"),
        ("model.released", "unknown", "no"),
        ("model.released", "refused", "runtime.transition_refused"),
    ]
    first, second = it.log.events[:2]
    assert first.correlation_id == second.correlation_id
    assert first.actor.id == f"process:uid-{os.getuid()}@{os.uname().nodename}"
    assert first.actor.kind == "process"


def test_a_decision_that_cannot_be_recorded_is_not_made(
    it: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    from aegis_multimodal_ai_system.runtime import Runtime

    it.log.broken = frozenset({"model.quarantined"})
    it.log.error = CouldNotDecide("audit.unavailable", "full", expected="room", remedy="make some")
    monkeypatch.setattr(Runtime, "log", it.log)
    assert main(["model", "quarantine", "model", "--reason", "odd"]) == 3
    assert it.state() is None


@pytest.mark.parametrize("tool", ["status", "verify", "quarantine", "release", "revoke"])
def test_a_model_that_nobody_knows(tool: str, it: Deployment, capsys: Told) -> None:
    reason = [] if tool in {"status", "verify"} else ["--reason", "x"]
    assert main(["model", tool, "other", *reason]) == 1
    assert "runtime.model_unknown" in capsys.readouterr().err


@pytest.mark.parametrize(
    "reason", ["", "  ", "a\nb", "x" * 501, "a\x1b[2J"], ids=["empty", "blank", "lines", "long", "escape"]
)
def test_a_reason_that_is_none(reason: str, it: Deployment, capsys: Told) -> None:
    assert main(["model", "quarantine", "model", "--reason", reason]) == 2
    assert it.state() is None


def test_a_model_that_left_the_policy_can_still_be_revoked(it: Deployment) -> None:
    assert main(["model", "verify", "model"]) == 0
    policy = yaml.safe_load((it.config / "aegis.yml").read_text())
    policy["verify"]["artifacts"][0]["name"] = "renamed"
    (it.config / "aegis.yml").write_text(yaml.safe_dump(policy))
    assert main(["model", "revoke", "model", "--reason", "gone"]) == 0
    assert it.state() == "revoked"
