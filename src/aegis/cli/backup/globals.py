"""The roles and tablespaces of a backup as a file: a server that has none of them needs them before a restore."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.backup import fetching
from aegis.backup.manifest import ENCRYPTED, GLOBALS
from aegis.cli.backup.drill import decrypter
from aegis.cli.scratch import scratch_folder
from aegis.core.errors import UsageError
from aegis.storage.private_folder import disk_failed

if TYPE_CHECKING:
    from aegis.adapters.age import Identities
    from aegis.cli.backup.choice import Chosen


def write_globals(chosen: Chosen, target: Path, identities: Identities | None) -> None:
    """Into a new file, which only its owner may read. Raises as `fetching.find` and `fetch` do, and UsageError."""
    if os.path.lexists(target):
        raise _there(target)
    found = fetching.find(chosen.store, chosen.folder, chosen.trust)
    decrypt = decrypter(found.manifest, identities)
    with scratch_folder("aegis-globals-") as scratch:
        fetching.fetch(chosen.store, found, scratch, only={GLOBALS, GLOBALS + ENCRYPTED}, decrypt=decrypt)
        try:
            with (scratch / GLOBALS).open("rb") as source, os.fdopen(_new(target), "wb") as file:
                shutil.copyfileobj(source, file)
        except FileExistsError:
            raise _there(target) from None
        except OSError as error:
            raise disk_failed(str(target), error) from error


def _new(target: Path) -> int:
    return os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _there(target: Path) -> UsageError:
    return UsageError(
        "core.wrong_usage",
        f"{str(target)!a} is there already",
        expected="a file that does not exist yet",
        remedy="name another file",
    )
