"""What events say about the base. Finding it in real clones is tested in tests/integration/git/test_base.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.base import Request, request
from aegis.core.errors import CouldNotDecide

A, B, C = "a" * 40, "b" * 40, "c" * 40
NULL = "0" * 40
PULL = {"pull_request": {"base": {"sha": A}, "head": {"sha": B}}}


def test_a_pull_request_names_its_target_and_its_head() -> None:
    for event in ("pull_request", "pull_request_target", "pull_request_review"):
        assert request(event, PULL, {"GITHUB_SHA": C}) == Request("pull-request", event, A, B, C)


def test_a_merge_group_names_its_base() -> None:
    asked = request("merge_group", {"merge_group": {"base_sha": A, "head_sha": B}}, {"GITHUB_SHA": B})
    assert asked == Request("merge-group", "merge_group", A, checkout=B)


@pytest.mark.parametrize("forced", [True, False, None])
def test_a_push_names_the_commit_before_it(forced: bool | None) -> None:
    payload = {"before": A, "after": B, "ref": "refs/heads/x"} | ({} if forced is None else {"forced": forced})
    assert request("push", payload, {}) == Request("push", "push", A, forced=forced)


def test_a_new_branch_is_compared_with_the_default_branch() -> None:
    payload = {"before": NULL, "ref": "refs/heads/x", "repository": {"default_branch": "main"}}
    assert request("push", payload, {}) == Request("new-branch", "push", "main")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"before": NULL, "ref": "refs/heads/main", "repository": {"default_branch": "main"}}, "default branch is new"),
        ({"before": NULL, "ref": "refs/tags/v1"}, "tag"),
        ({"before": A, "deleted": True}, "deleted"),
    ],
)
def test_pushes_without_a_base_look_at_everything(payload: dict[str, Any], why: str) -> None:
    asked = request("push", payload, {})
    assert asked.kind == "whole"
    assert why in asked.why


@pytest.mark.parametrize("event", ["workflow_dispatch", "schedule", "workflow_run", "release", "made_up", None, ""])
def test_other_events_look_at_everything(event: str | None) -> None:
    asked = request(event, {"before": A}, {"GITHUB_SHA": C})
    assert (asked.kind, asked.checkout) == ("whole", C)
    assert asked.why == (f"the event {event} is about no change" if event else "no change is named")


BAD_OIDS: list[object] = [
    None,
    "",
    "main",
    "--upload-pack=x",
    A[:39],
    A + "a",
    A.upper(),
    NULL,
    A + "\n",
    7,
    True,
    [A],
    {},
]


@pytest.mark.parametrize("bad", BAD_OIDS)
@pytest.mark.parametrize(
    ("event", "shape"),
    [
        ("pull_request", lambda bad: {"pull_request": {"base": {"sha": bad}, "head": {"sha": B}}}),
        ("pull_request", lambda bad: {"pull_request": {"base": {"sha": A}, "head": {"sha": bad}}}),
        ("merge_group", lambda bad: {"merge_group": {"base_sha": bad}}),
        ("push", lambda bad: {"before": bad}),
    ],
)
def test_what_is_no_commit_id_is_refused(event: str, shape: Any, bad: object) -> None:
    if event == "push" and bad == NULL:
        bad = None
    with pytest.raises(CouldNotDecide, match="the event's") as raised:
        request(event, shape(bad), {})
    assert raised.value.code == "core.base_not_found"


@pytest.mark.parametrize("payload", [None, [], "x", 7, {}, {"pull_request": None}, {"pull_request": {"base": "x"}}])
@pytest.mark.parametrize("event", ["pull_request", "merge_group", "push"])
def test_a_payload_of_another_shape_is_refused(event: str, payload: object) -> None:
    with pytest.raises(CouldNotDecide, match="the event's"):
        request(event, payload, {})


@pytest.mark.parametrize("forced", ["false", 0, 1, []])
def test_a_forced_that_is_neither_true_nor_false_is_refused(forced: object) -> None:
    with pytest.raises(CouldNotDecide, match="forced"):
        request("push", {"before": A, "forced": forced}, {})


@pytest.mark.parametrize("name", [None, 7, "", "-x", "a b", "a\nb", "a:b"])
def test_a_default_branch_that_is_no_branch_is_refused(name: object) -> None:
    with pytest.raises(CouldNotDecide, match="default_branch"):
        request("push", {"before": NULL, "repository": {"default_branch": name}}, {})


@pytest.mark.parametrize("sha", ["x", "HEAD", NULL])
def test_a_github_sha_that_is_no_commit_is_refused(sha: str) -> None:
    with pytest.raises(CouldNotDecide, match="GITHUB_SHA"):
        request(None, None, {"GITHUB_SHA": sha})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([A, NULL]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                [
                    "pull_request",
                    "base",
                    "head",
                    "sha",
                    "before",
                    "ref",
                    "deleted",
                    "forced",
                    "repository",
                    "default_branch",
                    "merge_group",
                    "base_sha",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(event=st.sampled_from(["pull_request", "push", "merge_group", "schedule"]), payload=JSON)
def test_any_payload_is_understood_or_refused(event: str, payload: object) -> None:
    try:
        asked = request(event, payload, {})
    except CouldNotDecide:
        return
    if asked.kind in ("pull-request", "merge-group", "push"):
        assert asked.target == A
