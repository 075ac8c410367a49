"""What obstore's exceptions mean, in the words that all stores use.

Their texts hold addresses and whatever a server answered, so of these only a status, an error's code and the kind of
fault are told, and nothing is chained. https://developmentseed.org/obstore/latest/api/exceptions/.
"""

from __future__ import annotations

import re

from aegis.core.errors import CouldNotDecide
from aegis.storage import faults

NOWHERE = "127.0.0.1:1"
"""Where requests to any other host are sent: a port on which nobody listens (tcpmux, RFC 1078)."""
_AWAY = re.compile(rf"(?<![0-9.]){re.escape(NOWHERE)}(?![0-9])")
"""Not the store itself, at one of this machine's ports that begin alike."""
_STATUS = re.compile(r"status code: ([1-5][0-9]{2})\b")
_CODE = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")
_ASKED = re.compile(r"Error performing (GET|HEAD|PUT|POST) (\S+)")
_DENIED = frozenset({"ExpiredToken", "TokenRefreshRequired", "InvalidToken"})
"""Refusals of credentials that come as 400."""
_ELSEWHERE = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect"})
_RANGES = ("UnexpectedRange", "NoContentRange", "NotPartial", "ParseContentRange", "InvalidRangeRequest")


def is_panic(error: BaseException) -> bool:
    """Whether the Rust half broke off, which is no `Exception` in Python."""
    return type(error).__module__ == "pyo3_runtime"


def no_credentials(problem: str) -> CouldNotDecide:
    """The surroundings give none."""
    return CouldNotDecide(
        "verify.no_credentials",
        f"there are no AWS credentials: {problem}",
        expected="a web identity (IRSA), EKS pod identity, an instance's role, or AWS_ACCESS_KEY_ID with its secret",
        remedy="Bind the pod's service account to a role that may read the bucket.",
    )


def fault_of(error: BaseException, where: str, address: str) -> CouldNotDecide:
    """What went wrong. `address`: the bucket's, without a slash at its end; other addresses give credentials."""
    text = str(error)
    status, code = _STATUS.search(text), _CODE.search(text)
    number = int(status[1]) if status else 0
    said = " ".join(found[1] for found in (status, code) if found) or type(error).__name__
    asked = _ASKED.search(text)
    if asked and not asked[2].startswith((f"{address}/", f"{address}?")):
        return _of_credentials(text, asked[1], number, said, where)
    if "InvalidListResponse" in text or "InvalidPath" in text:
        return faults.bad_listing(where, "the listing cannot be read, or holds a key that is no path")
    if re.search(r"Missing(AccessKeyId|SecretAccessKey)|Failed to read|missing field", text):
        return no_credentials("those of the surroundings are not whole")
    if _AWAY.search(text) or "BareRedirect" in text or (code and code[1] in _ELSEWHERE):
        return faults.redirected(where, "another address")
    if number in {401, 403} or (code and code[1] in _DENIED):
        return faults.denied(where, said)
    if number == 404:
        return faults.missing(where, said)
    if number == 412:
        return faults.changed(where, said)
    if number == 416 or any(kind in text for kind in _RANGES):
        return faults.wrong_range(where, said, "the rest of the object")
    if "kind: Timeout" in text or "TimedOut" in text:
        return faults.slow(where, "no word in time")
    return faults.failed(where, said)


def _of_credentials(text: str, method: str, number: int, said: str, where: str) -> CouldNotDecide:
    """STS (POST) may be in trouble for a moment; of all other sources that they do not answer means there are none."""
    if method == "POST" and (number >= 500 or number == 429 or "kind: Connect" in text or "kind: Timeout" in text):
        return faults.failed(where, f"STS gives no credentials ({said})")
    source = "STS refuses the web identity" if method == "POST" else "pod and instance give none"
    return no_credentials(f"{source} ({said})")
