"""The service over a folder: no cloud needed."""

from __future__ import annotations

import json
from pathlib import Path

from shop_ml.adapters.folder import FolderObjects
from shop_ml.service import load


def test_scores_are_weighted_sums(tmp_path: Path) -> None:
    """An unknown feature counts nothing."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ranker.json").write_text(json.dumps({"clicks": 2.0}), "utf-8")
    model = load(FolderObjects(tmp_path))
    assert model.score({"clicks": 3.0, "unknown": 1.0}) == 6.0
