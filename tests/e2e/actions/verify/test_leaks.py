"""The search that every scenario ends with finds what it looks for."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.actions.act import Run
from tests.support.actions.leaks import secrets_in, without_masks

SECRET = 'FwoG"secret/+token-of-a-session'


@pytest.mark.parametrize(
    "form",
    [SECRET.encode(), b"x=" + base64.b64encode(SECRET.encode()), quote(SECRET, safe="").encode()],
    ids=["plain", "base64", "of a URL"],
)
def test_a_secret_in_a_file_is_found(tmp_path: Path, form: bytes) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".env").write_bytes(b"\x00" + form + b"\n")
    assert secrets_in([SECRET], b"", [tmp_path]) == [f'FwoG"s… in {tmp_path / "deep" / ".env"}']


def test_a_secret_in_the_log_is_found_unless_it_teaches_the_runner_what_to_hide() -> None:
    masked = {"command": "add-mask", "arg": SECRET, "msg": "***"}
    told = {"msg": f"the token is {SECRET}"}
    assert secrets_in([SECRET], without_masks(Run(0, (masked,), "")), []) == []
    assert secrets_in([SECRET], without_masks(Run(0, (masked, told), "")), []) == ['FwoG"s… in the log']
    assert secrets_in([SECRET], without_masks(Run(0, (masked,), SECRET)), []) == ['FwoG"s… in the log']
