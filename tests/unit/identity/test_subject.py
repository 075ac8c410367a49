from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.identity.subject import Subject, both_forms, context_of, parse_subject

NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,20}", fullmatch=True)
IDS = st.from_regex(r"[1-9][0-9]{0,9}", fullmatch=True)


@given(NAMES, NAMES, IDS, IDS, st.text(min_size=1, max_size=30))
def test_both_forms_are_read_as_what_they_were_made_of(
    owner: str, name: str, owner_id: str, repository_id: str, context: str
) -> None:
    plain, immutable = both_forms(owner, name, owner_id, repository_id, context)
    assert parse_subject(plain) == Subject(owner, name, context)
    assert parse_subject(immutable) == Subject(owner, name, context, owner_id, repository_id)
    assert str(parse_subject(immutable)) == immutable


def test_the_forms_that_github_documents() -> None:
    assert both_forms("octo", "shop", "42", "7001", "ref:refs/heads/main") == (
        "repo:octo/shop:ref:refs/heads/main",
        "repo:octo@42/shop@7001:ref:refs/heads/main",
    )
    parsed = parse_subject("repo:octo@42/shop@7001:environment:prod:eu")
    assert parsed is not None
    assert parsed.immutable
    assert parsed.context == "environment:prod:eu"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "repo:",
        "repo:octo/shop",
        "repo:octo/shop:",
        "octo/shop:ref:x",
        "repo:octo@1/shop:ref:x",
        "repo:octo/shop@2:ref:x",
        "repo:octo@x/shop@y:ref:z",
        "repo:a/b/c:ref:x",
        "job_workflow_ref:octo/shop/.github/workflows/x.yml@main",
    ],
)
def test_what_has_neither_form(text: str) -> None:
    assert parse_subject(text) is None


@pytest.mark.parametrize(
    ("ref", "environment", "context"),
    [
        ("refs/heads/main", None, "ref:refs/heads/main"),
        ("refs/tags/v1", None, "ref:refs/tags/v1"),
        ("refs/pull/7/merge", None, "pull_request"),
        (None, None, "pull_request"),
        ("refs/heads/main", "staging", "environment:staging"),
        (None, "a:b", "environment:a%3Ab"),
    ],
)
def test_the_context_of_a_job(ref: str | None, environment: str | None, context: str) -> None:
    assert context_of(ref, environment) == context
