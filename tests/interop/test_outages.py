"""A service that is down: the job says so, and nothing is left that looks like a signature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.interop.clients import SIGNERS, Job
from tests.interop.instance import Sigstore, running
from tests.interop.undecided import could_not_decide, nothing_is_written

SERVICES = {"fulcio": "caUrls", "rekor": "rekorTlogUrls", "timestamp-authority": "tsaUrls"}
"""By their names in the signing config."""


@dataclass(frozen=True)
class Broken:
    """An instance without one of its services."""

    sigstore: Sigstore
    address: str
    """Host and port of the one that is not there."""


@pytest.fixture(scope="module", params=SERVICES)
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    with running(tmp_path_factory.mktemp("broken")) as instance:
        instance.services[request.param].stop()
        address = instance.signing_config[SERVICES[request.param]][0]["url"]
        yield Broken(instance, urlsplit(address).netloc)


@pytest.mark.parametrize(("kind", "tool"), SIGNERS, ids=lambda value: value)
def test_service_that_is_down(broken: Broken, tmp_path: Path, kind: str, tool: str) -> None:
    job = Job.within(tmp_path, broken.sigstore)
    if tool == "aegis":
        could_not_decide(job, tmp_path, kind, "verify.signing_failed", broken.address)
    else:
        nothing_is_written(job, tmp_path, kind, tool)
