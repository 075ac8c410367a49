"""The API service with one of its guards taken out, to be planted: `weak_service.py FAULT …` takes its arguments."""

from __future__ import annotations

import sys
from unittest.mock import patch

from aegis.core.actor import Actor
from aegis.identity.tokens.keys import VerifyingKey
from aegis_multimodal_ai_system.api.__main__ import main
from aegis_multimodal_ai_system.api.auth import Auth

SIGNATURE, ACTOR = "signature-unchecked", "write-without-actor"
_ITSELF = Actor(id="process:aegis", kind="process", display="aegis", issuer="local", subject="aegis")

if __name__ == "__main__":
    fault = sys.argv.pop(1)
    with (
        patch.object(VerifyingKey, "holds", lambda *_: True)
        if fault == SIGNATURE
        else patch.object(Auth, "actor_of", lambda *_: _ITSELF)
    ):
        sys.exit(main())
