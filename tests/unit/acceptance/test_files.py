from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.acceptance import files
from aegis.core.errors import CouldNotDecide

Change = Callable[[Path], object]


def _linked_folder(folder: Path) -> None:
    """It holds nothing that would be refused by itself."""
    other = folder.with_name(f"{folder.name}-other")
    other.mkdir()
    (other / "file").touch()
    (folder / "link").symlink_to(other)


def _deep(folder: Path) -> None:
    (folder / "/".join("d" * 9)).mkdir(parents=True)


def _many(folder: Path) -> None:
    for number in range(files.MAX_FILES + 1):
        (folder / f"{number}").touch()


def _large(folder: Path) -> None:
    with (folder / "large").open("wb") as file:
        file.truncate(files.MAX_TOTAL + 1)


UNFIT: dict[str, Change] = {
    "link": lambda folder: (folder / "link").symlink_to("/etc/hostname"),
    "linked-folder": _linked_folder,
    "pipe": lambda folder: os.mkfifo(folder / "pipe"),
    "control-character": lambda folder: (folder / "a\nb").touch(),
    "no-unicode": lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch(),
    "backslash": lambda folder: (folder / "a\\b").touch(),
    "deep": _deep,
    "many": _many,
    "large": _large,
}


@pytest.mark.parametrize("name", sorted(UNFIT))
def test_what_is_no_evidence(name: str, tmp_path: Path) -> None:
    UNFIT[name](tmp_path)
    with pytest.raises(CouldNotDecide) as refused:
        files.check_evidence(tmp_path, ())
    assert refused.value.code == "acceptance.evidence_unfit"


def test_every_file_with_its_digest(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.txt").write_text("c")
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "left.txt").write_text("left out")
    found = files.hashed(tmp_path, ("left.txt",))
    assert [(file.path, file.size) for file in found] == [("a.txt", 1), ("b/c.txt", 1)]
    assert found[0].sha256 == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


@pytest.mark.parametrize("secret", [b"hunter2", b"name-with-hunter3"])
def test_secrets_in_content_and_in_names(secret: bytes, tmp_path: Path) -> None:
    (tmp_path / "name-with-hunter3").write_bytes(b"\0\xff hunter2 \0")
    with pytest.raises(CouldNotDecide) as refused:
        files.check_evidence(tmp_path, (secret,))
    assert refused.value.code == "acceptance.secret_in_evidence"
    assert "hunter" not in str(refused.value)


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "no-such-folder" / "file"
    with pytest.raises(CouldNotDecide) as refused:
        files.write(target, b"content")
    assert refused.value.code == "core.output_unwritable"
    files.write(tmp_path / "file", b"content")
    files.write(tmp_path / "file", b"other")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"other"


def test_removing_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to("kept")
    files.remove(tmp_path / "link")
    assert (tmp_path / "kept" / "file").exists()
    files.remove(tmp_path / "kept")
    files.remove(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
