"""Metrics: what they count, and that no caller can make their number grow."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from aegis_multimodal_ai_system.metrics import CONTENT_TYPE, MAX_ROUTES, MAX_VERSIONS, Metrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(metrics: Metrics) -> Samples:
    """As a scraper reads them."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, frozenset(labels.items())))


class TestModels:
    def test_a_load_is_counted_and_timed(self) -> None:
        metrics = Metrics(["m"])
        metrics.loaded("m", 0.3, version="1.2")
        assert value(metrics, "aegis_model_loads_total", model="m", version="1.2") == 1
        assert value(metrics, "aegis_model_load_seconds_sum", model="m") == 0.3
        assert value(metrics, "aegis_model_load_seconds_bucket", model="m", le="0.1") == 0
        assert value(metrics, "aegis_model_load_seconds_bucket", model="m", le="0.5") == 1

    def test_a_refusal_is_counted_by_its_reason(self) -> None:
        metrics = Metrics(["m"])
        for _ in range(3):
            metrics.refused("m", "verify.store_failed", version="1.2")
        name = "aegis_model_verification_failures_total"
        assert value(metrics, name, model="m", version="1.2", reason="verify.store_failed") == 3

    def test_a_load_without_a_release_has_no_version(self) -> None:
        metrics = Metrics(["m"])
        metrics.loaded("m", 1.0)
        assert value(metrics, "aegis_model_loads_total", model="m", version="none") == 1

    def test_names_that_no_policy_has_share_one_series(self) -> None:
        metrics = Metrics(["m"])
        for number in range(500):
            metrics.refused(f"m{number}", "verify.store_failed")
        name = "aegis_model_verification_failures_total"
        assert value(metrics, name, model="other", version="none", reason="verify.store_failed") == 500
        assert len(series(metrics, name)) == 1

    def test_texts_that_are_no_reasons_share_one_series(self) -> None:
        metrics = Metrics(["m"])
        for number in range(500):
            metrics.refused("m", f"secret {number}")
        assert value(
            metrics, "aegis_model_verification_failures_total", model="m", version="none", reason="other"
        ) == 500  # fmt: skip
        assert b"secret" not in metrics.render()

    def test_versions_beyond_the_first_share_one_series(self) -> None:
        metrics = Metrics(["m"])
        for number in range(500):
            metrics.loaded("m", 0.1, version=f"1.{number}")
        assert len(series(metrics, "aegis_model_loads_total")) == MAX_VERSIONS + 1
        assert value(metrics, "aegis_model_loads_total", model="m", version="other") == 500 - MAX_VERSIONS
        metrics.loaded("m", 0.1, version="1.0")
        assert value(metrics, "aegis_model_loads_total", model="m", version="1.0") == 2

    @pytest.mark.parametrize("version", ["x" * 101, "1\n2", "1\x1b[0m"], ids=["long", "line feed", "escape"])
    def test_a_version_that_is_no_name_is_other(self, version: str) -> None:
        metrics = Metrics(["m"])
        metrics.loaded("m", 0.1, version=version)
        assert value(metrics, "aegis_model_loads_total", model="m", version="other") == 1


class TestStates:
    def test_the_state_of_the_moment_is_one_and_the_others_are_zero(self) -> None:
        now = {"m": "verified", "not of the policy": "verified"}
        metrics = Metrics(["m", "n"], states=lambda: now)
        assert value(metrics, "aegis_model_state", model="m", state="verified") == 1
        now["m"] = "quarantined"
        assert value(metrics, "aegis_model_state", model="m", state="verified") == 0
        assert value(metrics, "aegis_model_state", model="m", state="quarantined") == 1
        assert len(series(metrics, "aegis_model_state")) == 4

    def test_a_database_that_is_down_costs_only_its_own_samples(self) -> None:
        def down() -> Mapping[str, str]:
            raise OSError("password=hunter2")

        metrics = Metrics(["m"], states=down)
        metrics.audited(written=True)
        assert series(metrics, "aegis_model_state") == set()
        assert value(metrics, "aegis_audit_entries_total") == 1
        assert b"hunter2" not in metrics.render()


class TestService:
    def test_requests_are_counted_by_template_and_status(self) -> None:
        metrics = Metrics([])
        metrics.answered("GET", "/models/{name}", 404, 0.02)
        assert value(metrics, "aegis_http_requests_total", method="GET", route="/models/{name}", status="404") == 1
        assert value(metrics, "aegis_http_request_seconds_count", method="GET", route="/models/{name}") == 1

    def test_methods_routes_and_status_codes_are_bounded(self) -> None:
        metrics = Metrics([])
        for number in range(500):
            metrics.answered(f"M{number}", f"/{number}", 1000 + number, 0.01)
        found = series(metrics, "aegis_http_requests_total")
        assert len(found) == MAX_ROUTES + 1
        assert {dict(labels)["method"] for labels in found} == {"other"}
        assert {dict(labels)["status"] for labels in found} == {"other"}

    def test_the_audit_log_and_alerts(self) -> None:
        metrics = Metrics([])
        metrics.audited(written=True)
        metrics.audited(written=False)
        metrics.alert_failed("webhook")
        metrics.alert_failed("https://hooks.example/secret")
        assert value(metrics, "aegis_audit_entries_total") == 1
        assert value(metrics, "aegis_audit_failures_total") == 1
        assert value(metrics, "aegis_alerts_failed_total", sink="webhook") == 1
        assert value(metrics, "aegis_alerts_failed_total", sink="issue") == 0
        assert b"hooks.example" not in metrics.render()

    def test_two_in_one_process_share_nothing(self) -> None:
        first, second = Metrics(["m"]), Metrics(["m"])
        first.loaded("m", 1.0)
        assert value(second, "aegis_model_loads_total", model="m", version="none") is None
        assert CONTENT_TYPE.startswith("text/plain")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.integers(), st.text()), max_size=20))
def test_whatever_it_is_told_a_scraper_can_read_it(told: list[tuple[str, str, str, int, str]]) -> None:
    metrics = Metrics(["m"])
    for model, version, reason, status, route in told:
        metrics.loaded(model, 0.1, version=version)
        metrics.refused("m", reason, version=version)
        metrics.answered(model, route, status, 0.1)
    found = samples(metrics)
    loads = [number for (name, _), number in found.items() if name == "aegis_model_loads_total"]
    assert sum(loads) == len(told)


def series(metrics: Metrics, name: str) -> set[frozenset[tuple[str, str]]]:
    return {labels for (found, labels) in samples(metrics) if found == name}
