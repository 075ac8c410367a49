from __future__ import annotations

from aegis.gates.scan.migration import report, usage
from aegis.gates.scan.model import Class, Entry, Statement, Use


def use(path: str, service: str | None, use_class: Class = "runtime", provider: str = "aws") -> Use:
    statement = Statement(1, 1, "python", "import", "x", "import x")
    return Use(path, statement, Entry(provider, "python", "x", "sdk", service), use_class)


def test_usage_counts_by_provider_service_and_class() -> None:
    uses = [use("a", "s3"), use("a", "s3", "test"), use("b", "s3"), use("b", None), use("c", "gcs", provider="gcp")]
    assert usage(uses) == [
        {"provider": "aws", "service": None, "files": 1, "uses": {"runtime": 1}},
        {"provider": "aws", "service": "s3", "files": 2, "uses": {"runtime": 2, "test": 1}},
        {"provider": "gcp", "service": "gcs", "files": 1, "uses": {"runtime": 1}},
    ]


def test_report_without_a_base_has_no_trend() -> None:
    lines = report([use("a", "s3"), use("b", None)], None).splitlines()
    assert [line.split() for line in lines] == [
        ["provider", "service", "files", "uses"],
        ["aws", "-", "1", "1"],
        ["aws", "s3", "1", "1"],
    ]


def test_report_shows_what_grew_shrank_and_went() -> None:
    now = [use("a", "s3"), use("b", "s3"), use("c", "sns")]
    before = [use("a", "s3"), use("c", "sns"), use("d", "sqs")]
    rows = {line.split()[1]: line.split()[2:] for line in report(now, before).splitlines()[1:]}
    assert rows == {"s3": ["2", "2", "+1"], "sns": ["1", "1", "+0"], "sqs": ["0", "0", "-1"]}


def test_nothing_is_only_a_head_line() -> None:
    assert report([], None).splitlines() == ["provider  service                       files   uses"]
