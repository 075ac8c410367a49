"""The committed slice of GitHub's description is what the published package says."""

from __future__ import annotations

from tests.support.actions.github_slice import SLICE, made


def test_the_slice_is_cut_from_the_published_description() -> None:
    assert SLICE.read_text(encoding="utf-8") == made()
