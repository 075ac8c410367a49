"""The package that a module specifier names, whatever way it is asked for."""

from __future__ import annotations

import re

_CDN = re.compile(
    r"(?:https?:)?//(?:esm\.sh|esm\.run|unpkg\.com|cdn\.jsdelivr\.net|fastly\.jsdelivr\.net|cdn\.skypack\.dev|jspm\.dev"
    r"|ga\.jspm\.io|cdn\.esm\.sh|dev\.jspm\.io|cdnjs\.cloudflare\.com/ajax/libs)/(?:(?:npm[:/]|pin/|stable/|gh/|v\d+/|\*)*)",
    re.IGNORECASE,
)
_VERSION = re.compile(r"^((?:@[^/@]+/)?[^/@]+)@[^/]*")
_QUERY = re.compile(r"(?!^)[?#].*", re.DOTALL)


def package_path(specifier: str) -> str:
    """`npm:@scope/name@1/sub`, `https://esm.sh/name@1` and `raw-loader!name` as `name[/sub]`; others as they are."""
    name = specifier.rpartition("!")[2]
    if "node_modules/" in name:
        name = name.rpartition("node_modules/")[2]
    cdn = _CDN.match(name)
    if cdn:
        name = name[cdn.end() :]
    elif name.startswith("npm:"):
        name = name[len("npm:") :].lstrip("/")
    elif name.startswith((".", "/")) or "://" in name:
        return name
    return _VERSION.sub(r"\1", _QUERY.sub("", name))
