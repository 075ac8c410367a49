"""The commands of the pages that need an installation, tools or workflows: typed as they stand there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.actions.conftest import exported, uv_folder
from tests.support.actions import events
from tests.support.actions.act import Act, git
from tests.support.pages import page_reader

__all__ = ["exported", "uv_folder"]

READINGS = page_reader.readings(Path(__file__).parent)
QUICKSTART = ("docs/quickstart.md", "quickstart")


@pytest.mark.parametrize("page", [page for page, scene in READINGS if scene == "cluster"])
def test_a_cluster_takes_what_the_page_applies(page: str, scene_cluster: page_reader.Reader) -> None:
    scene_cluster.types(READINGS[page, "cluster"])


def test_every_scene_is_played() -> None:
    assert {scene for _, scene in READINGS} == {"quickstart", "cluster"}


def test_the_quick_start_ends_with_a_check_that_is_red_for_a_reason(
    scene_quickstart: page_reader.Reader, tmp_path: Path, exported: Path, uv_folder: Path
) -> None:
    """Its lines do what it says; and the workflow that it leaves is green as it is, and red with an SDK."""
    scene_quickstart.types(READINGS[QUICKSTART])
    repository = scene_quickstart.folder / "shop"
    git(repository, "remote", "add", "origin", "https://github.com/octo/shop.git")
    runner = tmp_path / "runner"
    runner.mkdir()
    act = Act(exported, runner, (uv_folder,))
    event = events.pull_request(repository, {"README.md": "A shop.\n"})
    well = act.run(repository, event.name, event.payload)
    assert well.green, well.log[-4000:]
    git(repository, "checkout", "--quiet", "main")
    git(repository, "branch", "--quiet", "-D", "change")
    event = events.pull_request(repository, {"src/shop/orders.py": "import boto3\n"})
    broken = act.run(repository, event.name, event.payload)
    assert not broken.green
    assert [(note.file, note.title.partition(":")[0]) for note in broken.errors()] == [
        ("src/shop/orders.py", "scan.runtime")
    ]
