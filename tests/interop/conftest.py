from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.interop import artifacts
from tests.interop.clients import Job
from tests.interop.instance import Sigstore, running


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sigstore]:
    """An instance with something in its log, for all tests of a module.

    Not for all modules: the timestamp authority has one port for its metrics, so there is one instance at a time.
    """
    with running(tmp_path_factory.mktemp("services")) as instance:
        folder = tmp_path_factory.mktemp("first")
        done = Job.within(folder, instance).sign(
            "aegis", "file", artifacts.write("file", folder), folder / "signature.json"
        )
        assert done.returncode == 0, done.stderr
        yield instance


@pytest.fixture
def job(sigstore: Sigstore, tmp_path: Path) -> Job:
    return Job.within(tmp_path, sigstore)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Below a test that failed: what its services said."""
    report = yield
    used = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Sigstore)]
    if report.failed:
        for instance in used:
            report.sections += [(f"log of {name}", service.said) for name, service in instance.services.items()]
    return report
