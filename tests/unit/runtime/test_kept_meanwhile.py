"""What another process keeps while this one looks whether there is something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aegis.storage.content_store import ContentStore
from tests.support.runtime.deployments import Deployment


def test_a_copy_that_another_process_has_just_kept_stays_and_nobody_cries_wolf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Deployment(tmp_path).upload()
    it.load().close()
    (name,) = it.kept()
    place, theirs, hold = it.models / name, it.models / "theirs", ContentStore.hold
    before = place.stat().st_ino
    place.rename(theirs)

    @contextmanager
    def looked(store: ContentStore, digest: str) -> Iterator[int | None]:
        with hold(store, digest) as folder:
            if theirs.exists():
                assert folder is None
                theirs.rename(place)
            yield folder

    monkeypatch.setattr(ContentStore, "hold", looked)
    it.load().close()
    assert place.stat().st_ino == before
    assert it.alerts.sent == []
    assert it.log.told[-1] == ("verified", None)
