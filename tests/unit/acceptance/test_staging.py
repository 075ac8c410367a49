from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from aegis.acceptance.staging import configured, parse_staging, variables
from aegis.core.errors import UsageError

ROOT = Path(__file__).resolve().parents[3]
API = {"url": "https://api.example.org", "token_variable": "JWT", "verified": "good", "unverified": "bad"}
BACKUP = {"store": "s3://dumps/shop/", "database_variable": "FROM", "staging_variable": "TO"}


def data(**sections: object) -> bytes:
    return yaml.safe_dump({"version": 1, **sections}).encode()


@pytest.mark.parametrize(
    "wrong",
    [
        data(api={**API, "token": "eyJ"}),
        data(api={**API, "url": "https://user:password@api.example.org"}),
        data(api={**API, "url": "file:///etc/passwd"}),
        data(api={**API, "token_variable": "eyJhbGciOi.x.y"}),
        data(api={**API, "verified": "--help"}),
        data(backup={**BACKUP, "store": "https://dumps"}),
        data(backup={**BACKUP, "database_variable": "postgresql://u:p@host/db"}),
        data(cluster={"context": "c", "namespace": "n", "rollout": "-x"}),
        data(more={}),
        yaml.safe_dump({"api": API}).encode(),
    ],
    ids=[
        "secret",
        "secret-in-url",
        "file",
        "token-as-name",
        "option",
        "store",
        "url-as-name",
        "option2",
        "key",
        "version",
    ],
)
def test_what_is_no_configuration(wrong: bytes) -> None:
    with pytest.raises(UsageError) as refused:
        parse_staging(wrong, file="staging.yml")
    assert refused.value.code == "acceptance.config_invalid"


def test_what_is_configured() -> None:
    staging = parse_staging(data(api=API, backup=BACKUP), file="staging.yml")
    assert variables(staging) == ("JWT", "FROM", "TO")
    assert configured(staging, "api.url", {})
    assert not configured(staging, "api.token_variable", {})
    assert configured(staging, "api.token_variable", {"JWT": "eyJ"})
    assert not configured(staging, "cluster.context", {})
    assert not configured(staging, "api.no_such_key", {})
    assert not configured(None, "api.url", {})
    assert variables(None) == ()


def test_the_example_is_one() -> None:
    example = ROOT / "acceptance" / "staging.example.yml"
    staging = parse_staging(example.read_bytes(), file=str(example))
    assert None not in (staging.verify, staging.infra, staging.api, staging.cluster, staging.backup)
