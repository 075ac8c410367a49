"""Sessions that may ask one workspace, or say who they are, and nothing else."""

from __future__ import annotations

import json

import pytest

from aegis.identity.narrow_session import login_session, metrics_session


@pytest.mark.parametrize(
    ("url", "workspace"),
    [
        ("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-0a1b2c3d-4e5f", "ws-0a1b2c3d-4e5f"),
        ("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-0a1b/api", "ws-0a1b"),
        ("https://metrics.example.com/amp", "*"),
        ("https://metrics.example.com/workspaces/ws-*", "*"),
    ],
)
def test_one_workspace_can_be_queried(url: str, workspace: str) -> None:
    (statement,) = json.loads(metrics_session(url, "eu-west-1", partition="aws"))["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Action": "aps:QueryMetrics",
        "Resource": f"arn:aws:aps:eu-west-1:*:workspace/{workspace}",
    }


def test_a_login_may_do_nothing_but_say_who_it_is() -> None:
    (statement,) = json.loads(login_session())["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:GetCallerIdentity")
