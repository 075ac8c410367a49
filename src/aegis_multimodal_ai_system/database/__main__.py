"""`python -m aegis_multimodal_ai_system.database`: bring the tables to this version, as the role of DATABASE_URL.

The service does so at its start, where its role may. Where it may not, the tables' owner does it by this.
"""

from __future__ import annotations

import os
import sys

from aegis.core.errors import AegisError, UsageError, crashed
from aegis_multimodal_ai_system.database import open_database


def main() -> int:
    """Exit codes are those of the service: 0, 2 for wrong settings, 3 where the database does not let it."""
    try:
        url = os.environ.get("DATABASE_URL")
        if not url:
            raise UsageError(
                "runtime.setting_invalid",
                "DATABASE_URL is not set",
                expected="the database's address, of a role that owns its tables",
                remedy="set the variable DATABASE_URL",
            )
        database = open_database(url)
        try:
            database.migrate()
        finally:
            database.close()
    except AegisError as error:
        return _told(error)
    except Exception as error:  # a defect is told like every other reason
        return _told(crashed(error))
    sys.stdout.write(f"{database.place} has the tables of this version\n")
    return 0


def _told(error: AegisError) -> int:
    sys.stderr.write(f"{error.code}: {error}\n")
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
