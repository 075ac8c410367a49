"""Properties have no deadline: how fast a shared machine is says nothing about them."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
