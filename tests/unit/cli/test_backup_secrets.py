"""Secrets come from where nobody else reads them, and are told to nobody."""

from __future__ import annotations

from pathlib import Path

import pyrage
import pytest

from aegis.cli.backup.secrets import SOURCE, TARGET, database_url, read_identities
from aegis.core.errors import UsageError

URL = "postgresql://app:hunter2@db/orders"
IDENTITY = pyrage.x25519.Identity.generate()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "secret").touch(0o600)
    return tmp_path / "secret"


def test_the_address_of_aegis_comes_before_the_service_s() -> None:
    assert database_url(None, {"AEGIS_DATABASE_URL": URL, "DATABASE_URL": "postgresql://other"}, SOURCE) == URL
    assert database_url(None, {"AEGIS_DATABASE_URL": "", "DATABASE_URL": URL}, SOURCE) == URL


def test_the_service_s_own_database_is_nothing_that_is_written_into(file: Path) -> None:
    assert database_url(None, {"AEGIS_DATABASE_URL": URL, "DATABASE_URL": "postgresql://other"}, TARGET) == URL
    file.write_text(URL, "utf-8")
    assert database_url(file, {"DATABASE_URL": "postgresql://other"}, TARGET) == URL
    with pytest.raises(UsageError, match=r"AEGIS_DATABASE_URL is not set; DATABASE_URL .* is not taken") as caught:
        database_url(None, {"DATABASE_URL": URL}, TARGET)
    assert "hunter2" not in str(caught.value)


def test_a_file_comes_before_both(file: Path) -> None:
    file.write_text(f"{URL}\n", "utf-8")
    assert database_url(file, {"AEGIS_DATABASE_URL": "postgresql://other"}, SOURCE) == URL


@pytest.mark.parametrize("variables", [SOURCE, TARGET])
@pytest.mark.parametrize("environ", [{}, {"DATABASE_URL": ""}, {"AEGIS_DATABASE_URL": " \n"}])
def test_no_address_is_wrong_usage(environ: dict[str, str], variables: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"AEGIS_DATABASE_URL is not set(?!;)"):
        database_url(None, environ, variables)


def test_in_a_workflow_it_is_hidden_from_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    database_url(None, {"AEGIS_DATABASE_URL": URL}, SOURCE)
    assert URL not in capsys.readouterr().err
    database_url(None, {"AEGIS_DATABASE_URL": URL, "GITHUB_ACTIONS": "true"}, SOURCE)
    assert capsys.readouterr().err == f"::add-mask::{URL}\n"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o602])
def test_a_file_that_others_can_read_or_change_is_refused(file: Path, mode: int) -> None:
    file.write_text(URL, "utf-8")
    file.chmod(mode)
    with pytest.raises(UsageError) as caught:
        database_url(file, {}, SOURCE)
    assert caught.value.code == "backup_check.secret_exposed"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_one_that_only_its_owner_can_read_is_taken(file: Path, mode: int) -> None:
    file.write_text(URL, "utf-8")
    file.chmod(mode)
    assert database_url(file, {}, SOURCE) == URL


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 70_000], ids=["no text", "too long"])
def test_a_file_that_holds_no_address(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError, match="holds"):
        database_url(file, {}, SOURCE)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        database_url(tmp_path / "none", {}, SOURCE)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        database_url(tmp_path, {}, SOURCE)


class TestIdentities:
    TEXT = f"# created: 2026\n# public key: {IDENTITY.to_public()}\n{IDENTITY}\n"

    def test_none_were_given(self) -> None:
        assert read_identities(None, {}) is None
        assert read_identities(None, {"AEGIS_AGE_IDENTITY": " \n"}) is None

    def test_from_an_argument_s_file_the_variable_s_file_or_the_variable(self, file: Path) -> None:
        file.write_text(self.TEXT, "utf-8")
        wrong = {"AEGIS_AGE_IDENTITY": "wrong"}
        for found in (
            read_identities(file, {**wrong, "AEGIS_AGE_IDENTITY_FILE": "/nowhere"}),
            read_identities(None, {**wrong, "AEGIS_AGE_IDENTITY_FILE": str(file)}),
            read_identities(None, {"AEGIS_AGE_IDENTITY": self.TEXT}),
        ):
            assert found is not None
            assert found.recipients == (str(IDENTITY.to_public()),)
            assert str(IDENTITY) not in repr(found)

    def test_a_file_of_them_that_others_can_read_is_refused(self, file: Path) -> None:
        file.write_text(self.TEXT, "utf-8")
        file.chmod(0o644)
        with pytest.raises(UsageError) as caught:
            read_identities(file, {})
        assert caught.value.code == "backup_check.secret_exposed"

    def test_each_is_hidden_from_the_log(self, capsys: pytest.CaptureFixture[str]) -> None:
        read_identities(None, {"AEGIS_AGE_IDENTITY": self.TEXT, "GITHUB_ACTIONS": "true"})
        assert f"::add-mask::{IDENTITY}\n" in capsys.readouterr().err
