"""Trusted roots in which one part is another instance's."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from tests.doubles.sigstore.signer import PrivateSigstore

PARTS = ("certificateAuthorities", "ctlogs", "tlogs", "timestampAuthorities")


def with_another(root: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The root, in which this part has the keys of a stranger.

    Where it is, and which key it is said to have, stay: else it would only be unknown.
    """
    stranger = PrivateSigstore(at=datetime.datetime.now(datetime.UTC)).root.document()[part][-1]
    kept = [{name: own[name] for name in ("baseUrl", "uri", "logId") if name in own} for own in root[part]]
    return {**root, part: [{**stranger, **names} for names in kept]}
