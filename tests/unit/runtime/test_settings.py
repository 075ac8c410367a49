"""Settings: read once, refused where they mean something else than they say, and silent about what is secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.core.errors import UsageError
from aegis_multimodal_ai_system.settings import Settings

SECRET = "hunter2"  # what must never be shown


def test_without_any_variable_everything_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({})
    assert settings.policy == tmp_path / "aegis.yml"
    assert settings.data == tmp_path / ".aegis"
    assert settings.database_url == f"sqlite:///{tmp_path}/.aegis/aegis.db"
    assert settings.audit == "disk"
    assert settings.audit_key == tmp_path / ".aegis" / "audit.key"
    assert settings.handoff == "sealed"
    assert (settings.auth, settings.alert_webhook, settings.alertmanager) == (None, None, None)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_with_a_postgresql_the_audit_log_is_there_too(scheme: str) -> None:
    assert Settings.from_environment({"DATABASE_URL": f"{scheme}://db/aegis"}).audit == "postgresql"


def test_the_log_may_stay_on_disk_beside_a_postgresql() -> None:
    environ = {"DATABASE_URL": "postgresql://db/aegis", "AEGIS_AUDIT": "disk"}
    assert Settings.from_environment(environ).audit == "disk"


def test_an_empty_variable_is_an_unset_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["AEGIS_POLICY", "AEGIS_DATA", "DATABASE_URL", "AEGIS_AUDIT", "AEGIS_AUTH", "AEGIS_HANDOFF"]
    names += ["AEGIS_KEPT_BYTES", "AEGIS_SERVICE", "AEGIS_ALERT_WEBHOOK", "COSIGN_PUB_KEY", "AEGIS_AUDIT_ORIGIN"]
    assert Settings.from_environment(dict.fromkeys(names, "")) == Settings.from_environment({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AEGIS_AUDIT", "memory"),
        ("AEGIS_AUDIT", "Disk"),
        ("AEGIS_HANDOFF", "path"),
        ("AEGIS_KEPT_BYTES", "10GiB"),
        ("AEGIS_KEPT_BYTES", "-1"),
        ("AEGIS_KEPT_BYTES", "\u0663"),
        ("AEGIS_KEPT_BYTES", "9" * 19),
    ],
)
def test_a_value_that_is_not_understood_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name) as refused:
        Settings.from_environment({name: value})
    assert refused.value.code == "runtime.setting_invalid"


def test_secrets_do_not_show() -> None:
    environ = {
        "DATABASE_URL": f"postgresql://aegis:{SECRET}@db/aegis",
        "AEGIS_ALERT_WEBHOOK": f"https://hooks.example/{SECRET}",
        "AEGIS_ALERT_TOKEN": SECRET,
    }
    assert SECRET not in repr(Settings.from_environment(environ))
