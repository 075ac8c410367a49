"""A service that is down: the job says so, and nothing is left that looks like a signature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.clients import SIGNERS, Job
from tests.interop.instance import Sigstore, running
from tests.interop.undecided import could_not_decide, nothing_is_written

SAID = {"fulcio": "ConnectionError", "rekor": "ConnectionError", "timestamp-authority": "time"}
"""By the service: what tells it apart in our message."""


@dataclass(frozen=True)
class Broken:
    """An instance without one of its services."""

    sigstore: Sigstore
    without: str


@pytest.fixture(scope="module", params=SAID)
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    with running(tmp_path_factory.mktemp("broken")) as instance:
        instance.services[request.param].stop()
        yield Broken(instance, request.param)


@pytest.mark.parametrize(("kind", "tool"), SIGNERS, ids=lambda value: value)
def test_service_that_is_down(broken: Broken, tmp_path: Path, kind: str, tool: str) -> None:
    job = Job.within(tmp_path, broken.sigstore)
    if tool == "aegis":
        could_not_decide(job, tmp_path, kind, "verify.signing_failed", SAID[broken.without])
    else:
        nothing_is_written(job, tmp_path, kind, tool)
