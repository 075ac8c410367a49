"""Session policies of a run that reads no bucket: to ask one workspace for metrics, or to log in to a cluster.

A session may do what both the role's policies and this one allow
(https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session).
"""

from __future__ import annotations

import json
import re
from typing import Final

_WORKSPACE: Final = re.compile(r"/workspaces/(?P<id>ws-[0-9a-f-]{1,80})(?:/|$)")
"""https://docs.aws.amazon.com/prometheus/latest/userguide/AMP-APIReference-Prometheus-Compatible-Apis.html"""


def metrics_session(url: str, region: str, *, partition: str) -> str:
    """To query the workspace of an address; where that names none (a proxy's own), every workspace of the region."""
    found = _WORKSPACE.search(url)
    workspace = found["id"] if found is not None else "*"
    return _allow("aps:QueryMetrics", f"arn:{partition}:aps:{region}:*:workspace/{workspace}")


def login_session() -> str:
    """To say who one is, which is what a cluster's login program signs; nothing else.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    return _allow("sts:GetCallerIdentity", "*")


def _allow(action: str, resource: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
