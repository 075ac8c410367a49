from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.adapters.github.context import (
    PullRequest,
    base_commit,
    pull_request,
    ref,
    source_from_environment,
)
from aegis.core.verdict import Source

BASE, HEAD, MERGE = "aa" * 20, "bb" * 20, "cc" * 20
ENV = {
    "GITHUB_ACTOR": "octocat",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_REF": "refs/pull/7/merge",
    "GITHUB_REPOSITORY": "octo/widgets",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_RUN_ID": "1234567890123",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_SHA": MERGE,
}


def payload(head_repository: object = "octo/widgets") -> dict[str, Any]:
    repository = {"full_name": head_repository} if head_repository else None
    return {
        "pull_request": {
            "number": 7,
            "base": {"sha": BASE},
            "head": {"sha": HEAD, "repo": repository},
        }
    }


class TestSource:
    def test_a_pull_request(self) -> None:
        assert source_from_environment(ENV, payload()) == Source(
            repository="octo/widgets",
            commit=MERGE,
            base=BASE,
            event="pull_request",
            run_url="https://github.com/octo/widgets/actions/runs/1234567890123",
            run_attempt=2,
            actor="octocat",
        )

    def test_a_laptop(self) -> None:
        assert source_from_environment({}, None) == Source()

    @pytest.mark.parametrize(
        ("event", "document", "base"),
        [
            ("push", {"before": BASE}, BASE),
            ("push", {"before": "0" * 40}, None),
            ("merge_group", {"merge_group": {"base_sha": BASE}}, BASE),
            ("pull_request_target", payload(), BASE),
            ("schedule", payload(), None),
            ("workflow_dispatch", {"before": BASE}, None),
            ("", {"before": BASE}, None),
        ],
    )
    def test_the_base_of_each_event(self, event: str, document: object, base: str | None) -> None:
        assert base_commit({**ENV, "GITHUB_EVENT_NAME": event}, document) == base

    @pytest.mark.parametrize(
        ("name", "value", "field"),
        [
            ("GITHUB_SHA", "main", "commit"),
            ("GITHUB_SHA", "AA" * 20, "commit"),
            ("GITHUB_SHA", BASE + "\n", "commit"),
            ("GITHUB_REPOSITORY", "octo/wid gets", "repository"),
            ("GITHUB_REPOSITORY", "octo", "repository"),
            ("GITHUB_REPOSITORY", "a/b/c", "repository"),
            ("GITHUB_RUN_ATTEMPT", "0", "run_attempt"),
            ("GITHUB_RUN_ATTEMPT", "²", "run_attempt"),
            ("GITHUB_RUN_ATTEMPT", "9" * 99, "run_attempt"),
            ("GITHUB_RUN_ID", "../1", "run_url"),
            ("GITHUB_SERVER_URL", "javascript:alert(1)", "run_url"),
            ("GITHUB_SERVER_URL", "https://u:p@github.com", "run_url"),
            ("GITHUB_ACTOR", "a](https://evil.example)", "actor"),
            ("GITHUB_EVENT_NAME", "pull request", "event"),
        ],
    )
    def test_garbage_is_unknown(self, name: str, value: str, field: str) -> None:
        assert getattr(source_from_environment(ENV, payload()), field) is not None
        assert getattr(source_from_environment({**ENV, name: value}, payload()), field) is None


class TestPullRequest:
    def test_of_the_repository_itself(self) -> None:
        facts = pull_request(ENV, payload("Octo/Widgets"))
        assert facts == PullRequest(number=7, base=BASE, head=HEAD, fork=False, dependabot=False)
        assert not facts.restricted

    @pytest.mark.parametrize("repository", ["evil/widgets", None, 7, "octo/widgets/x"])
    def test_what_is_not_shown_to_be_our_own_is_a_fork(self, repository: object) -> None:
        facts = pull_request(ENV, payload(repository))
        assert facts is not None
        assert facts.fork
        assert facts.restricted

    @pytest.mark.parametrize(("actor", "started"), [("dependabot[bot]", True), ("octocat", False)])
    def test_dependabot_is_who_started_the_run(self, actor: str, started: bool) -> None:
        facts = pull_request({**ENV, "GITHUB_ACTOR": actor}, payload())
        assert facts is not None
        assert facts.dependabot is facts.restricted is started

    @pytest.mark.parametrize("event", ["push", "merge_group", "schedule", "workflow_dispatch", ""])
    def test_no_other_event_has_one(self, event: str) -> None:
        assert pull_request({**ENV, "GITHUB_EVENT_NAME": event}, payload()) is None

    @pytest.mark.parametrize("document", [None, [], {}, "x", {"pull_request": []}, {"pull_request": {"number": True}}])
    def test_a_broken_payload_is_a_fork_without_facts(self, document: object) -> None:
        assert pull_request(ENV, document) == PullRequest(
            number=None, base=None, head=None, fork=True, dependabot=False
        )


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("refs/heads/main", True),
        ("refs/heads/feature/é", True),
        ("refs/pull/7/merge", True),
        ("refs/heads/gh-readonly-queue/main/pr-7-abc", True),
        ("main", False),
        ("refs/heads/a b", False),
        ("refs/heads/a\nb", False),
        ("refs/notes/x", False),
    ],
)
def test_ref(value: str, known: bool) -> None:
    assert ref({"GITHUB_REF": value}) == (value if known else None)


KEYS = st.sampled_from(["pull_request", "base", "head", "sha", "repo", "merge_group"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["pull_request", "base", "head", "sha", "repo", "merge_group"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON, st.dictionaries(st.sampled_from(sorted(ENV)), st.text(max_size=12)))
def test_no_environment_and_no_payload_is_a_crash(document: object, env: dict[str, str]) -> None:
    source_from_environment({**ENV, **env}, document)
    pull_request({**ENV, **env}, document)
