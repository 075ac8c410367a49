"""The cluster that tests share, which is up once for all of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.support.cluster.plane import ControlPlane, control_plane

NAME = "cluster"
_up: list[ControlPlane] = []


def pytest_itemcollected(item: pytest.Item) -> None:
    """All tests of the cluster in one process: there is one cluster for each."""
    if NAME in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.xdist_group(NAME))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the cluster's processes said, beside a test that failed."""
    report = yield
    if report.failed and NAME in getattr(item, "fixturenames", ()):
        report.sections += [("logs of the cluster", each.logs()) for each in _up]
    return report


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Kubernetes and Argo Rollouts. The first time on a machine they are built, which takes minutes."""
    with control_plane(tmp_path_factory.mktemp(NAME)) as made:
        _up.append(made)
        yield made
        _up.remove(made)


@pytest.fixture
def namespace(cluster: ControlPlane) -> Iterator[str]:
    """An empty namespace."""
    with cluster.namespace() as name:
        yield name
