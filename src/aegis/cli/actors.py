"""Who runs a command, for the audit log."""

from __future__ import annotations

import os

from aegis.core.actor import Actor


def user_actor() -> Actor:
    """The user of this machine who runs the command."""
    import pwd

    uid, host = os.getuid(), os.uname().nodename
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # containers run as users that have no name
        name = str(uid)
    return Actor(
        id=f"process:uid-{uid}@{host}",
        kind="process",
        display=name,
        issuer="local",
        subject=name,
        attributes={"pid": str(os.getpid()), "host": host, "uid": str(uid)},
    )
