"""What holds for every test.

Properties have no deadline, and their data may take long: how fast a shared machine is says nothing about them. Their
examples are the same in each run, so that a change is red by what it changed; `--hypothesis-profile=explore` draws
others.
Handlers of signals, which a command sets for its whole process, end with the test that ran it here. Tests of one
`xdist_group` run in one process. A server of a test says nothing of a client that went away: it may come late, and be
taken for what another test has printed.
"""

from __future__ import annotations

import signal
import socketserver
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from _pytest.nodeid import NodeId
from hypothesis import HealthCheck, settings

settings.register_profile("repeatable", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("explore", settings.get_profile("repeatable"), derandomize=False)
settings.load_profile("repeatable")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Name the group in a test's id, from where pytest-xdist reads it.

    Its 3.8 does so itself, by an attribute that pytest 9.2 no longer has, so that nothing was kept together.
    """
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = NodeId.parse(f"{item.nodeid}@{group.args[0]}")


_told = socketserver.BaseServer.handle_error


def _tell(self: socketserver.BaseServer, request: Any, client_address: Any) -> None:
    if not isinstance(sys.exc_info()[1], ConnectionError):
        _told(self, request, client_address)


socketserver.BaseServer.handle_error = _tell  # type: ignore[method-assign]


_SIGNALS = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    yield
    for number, handler in _SIGNALS.items():  # also those that a module's fixture has left
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    # what a run that was told to stop has started; its handler stays, since the last tick may be under way
    signal.setitimer(signal.ITIMER_REAL, 0)
