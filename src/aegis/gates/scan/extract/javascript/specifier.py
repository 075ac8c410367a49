"""The package that a module specifier names, whatever way it is asked for."""

from __future__ import annotations

import re

_CDN = re.compile(
    r"(?:https?:)?//(?:esm\.sh|esm\.run|unpkg\.com|cdn\.jsdelivr\.net|fastly\.jsdelivr\.net|cdn\.skypack\.dev|jspm\.dev"
    r"|ga\.jspm\.io|cdn\.esm\.sh|dev\.jspm\.io|cdnjs\.cloudflare\.com/ajax/libs)/(?:(?:npm[:/]|pin/|stable/|gh/|v\d+/|\*)*)",
    re.IGNORECASE,
)
_VERSION = re.compile(r"^((?:@[^/@]+/)?[^/@]+)@[^/]*")
_BUNDLE = re.compile(r"([A-Za-z][\w-]*?)(?:[.@-]v?\d[\w.-]*?)?(?:[.-](?:min|bundle|umd|esm|prod|compat))*\.m?js")
"""A file on somebody's server, named after its package, maybe with its version."""
_LONGEST_FILE = 200
_OF_PROVIDER = (
    # https://firebase.google.com/docs/web/alt-setup
    (re.compile(r"//www\.gstatic\.com/firebasejs/[^/]+/firebase-([\w-]+)\.js"), r"firebase/\1"),
    # https://github.com/AzureAD/microsoft-authentication-library-for-js/blob/dev/lib/msal-browser/docs/cdn-usage.md
    (re.compile(r"//alcdn\.ms(?:auth|ftauth)\.net/browser/.*/(msal-browser)[\w.]*\.js"), r"@azure/\1"),
)
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
    elif "://" in name or name.startswith("//"):
        return _from_server(_QUERY.sub("", name))
    elif name.startswith((".", "/")):
        return name
    return _VERSION.sub(r"\1", _QUERY.sub("", name))


def _from_server(url: str) -> str:
    """`https://sdk.amazonaws.com/js/aws-sdk-2.1.0.min.js` as `aws-sdk`."""
    for place, package in _OF_PROVIDER:
        if found := place.search(url):
            return found.expand(package)
    file = url.rpartition("/")[2]
    bundle = _BUNDLE.fullmatch(file) if len(file) <= _LONGEST_FILE else None
    return bundle[1] if bundle else url
