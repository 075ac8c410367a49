"""What can be wrong with a Prometheus and its answers, as errors that say what to do."""

from __future__ import annotations

from aegis.core.errors import CouldNotDecide, UsageError


def unavailable(url: str, problem: str) -> CouldNotDecide:
    """No answer, or one of a server in trouble."""
    return CouldNotDecide(
        "canary.prometheus_unavailable",
        f"{url} did not answer: {problem}",
        expected="the query API of a Prometheus below this address",
        remedy="Look whether it runs and can be reached from here; correct canary.prometheus.url.",
    )


def refused(url: str, status: int) -> CouldNotDecide:
    """It does not let us read."""
    return CouldNotDecide(
        "canary.prometheus_refused",
        f"{url} refused the query (HTTP {status})",
        expected="credentials that may read metrics",
        remedy="Set bearer-env, bearer-file, sigv4-region or tenant of canary.prometheus, or renew the token.",
    )


def wrong_query(query: str, said: str) -> CouldNotDecide:
    """It does not understand, or cannot evaluate."""
    return CouldNotDecide(
        "canary.query_refused",
        f"Prometheus refused the query {query[:300]!r}: {said}",
        expected="a selector that it can read",
        remedy="Correct the selectors of canary.metrics; try the query in Prometheus itself.",
    )


def malformed(problem: str) -> CouldNotDecide:
    """The answer is none that the API gives."""
    return CouldNotDecide(
        "canary.answer_malformed",
        f"Prometheus's answer cannot be read: {problem}",
        expected="an answer of the Prometheus HTTP API",
        remedy="Look whether a proxy stands between; correct canary.prometheus.url.",
    )


def too_large(size: str, most: str) -> CouldNotDecide:
    """More than a look may read."""
    return CouldNotDecide(
        "canary.answer_too_large",
        f"Prometheus's answer has {size}",
        expected=most,
        remedy="Narrow the selectors with matchers, e.g. job or container.",
    )


def not_whole(said: str) -> CouldNotDecide:
    """A part of the data is missing, which may be the part with the errors."""
    return CouldNotDecide(
        "canary.answer_partial",
        f"Prometheus answered with a part of the data: {said}",
        expected="all of it",
        remedy="Look at the stores behind it; the next look reads again what this one could not.",
    )


def not_counters(series: str) -> CouldNotDecide:
    """Native histograms have no bucket counters of their own."""
    return CouldNotDecide(
        "canary.histogram_native",
        f"{series} is a native histogram, whose buckets are no series",
        expected="a classic histogram's _bucket counters",
        remedy="Keep the classic buckets too (always_scrape_classic_histograms), and select NAME_bucket.",
    )


def no_token(problem: str) -> UsageError:
    """Credentials that the policy names are not there."""
    return UsageError(
        "canary.token_missing",
        problem,
        expected="credentials where the policy says that they are",
        remedy="Set it in the workflow's env from a secret, mount the file, or take the key out of the policy.",
    )
