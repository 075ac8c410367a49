"""Metrics reach a Pushgateway, or it is told that they did not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aegis.adapters.http.call import Clock
from aegis.adapters.prometheus.pushgateway import push
from aegis.core.errors import CouldNotDecide, UsageError
from tests.doubles.pushgateway import Pushgateway, serve
from tests.support.network.ports import nobody

METRICS = '# HELP x y\n# TYPE x gauge\nx{database="shop"} 1\n'
QUICK = Clock(now=lambda: 0.0, sleep=lambda _: None, jitter=lambda: 0.5)


@pytest.fixture
def gateway() -> Iterator[Pushgateway]:
    with serve() as running:
        yield running


@pytest.mark.parametrize("end", ["", "/"])
def test_it_is_put_into_the_databases_own_group(gateway: Pushgateway, end: str) -> None:
    push(gateway.address + end, "shop", METRICS)
    push(gateway.address + end, "shop", METRICS.replace(" 1\n", " 2\n"))
    assert gateway.groups == {"shop": {"x": 2.0}}


def test_a_gateway_in_trouble_is_asked_again(gateway: Pushgateway) -> None:
    gateway.statuses = [503, 502]
    push(gateway.address, "shop", METRICS, clock=QUICK)
    assert gateway.requests == 3


@pytest.mark.parametrize("status", [400, 404, 302])
def test_one_that_refuses_is_told(gateway: Pushgateway, status: int) -> None:
    gateway.statuses = [status]
    with pytest.raises(CouldNotDecide, match=str(status)) as caught:
        push(gateway.address, "shop", METRICS, clock=QUICK)
    assert caught.value.code == "backup_check.push_failed"
    assert gateway.requests == 1


def test_one_that_is_not_there_is_told() -> None:
    with nobody() as address, pytest.raises(CouldNotDecide) as caught:
        push(address, "shop", METRICS, clock=QUICK)
    assert caught.value.code == "backup_check.push_failed"


@pytest.mark.parametrize(
    "address",
    [
        "pushgateway:9091",
        "ftp://pushgateway",
        "http://user:secret@pushgateway:9091",
        "http://pushgateway:9091/?token=secret",
        "http://pushgateway:9091/#secret",
        "http://pushgateway:port",
        "http://",
        "http://push\ngateway",
    ],
)
def test_what_is_no_plain_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        push(address, "shop", METRICS)
    assert "secret" not in str(caught.value)
