"""Refusals of signatures, and the border to libraries: whatever they raise leaves as a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aegis.core.errors import AegisError, Refused

_SIGN_AGAIN = "Sign it again; if you did not expect this, treat the store as compromised."


def refused(code: str, problem: str, *, expected: str, remedy: str = _SIGN_AGAIN) -> Refused:
    """A refusal whose usual remedy is a new signature."""
    return Refused(code, problem, expected=expected, remedy=remedy)


@contextmanager
def refusing(code: str, problem: str, *, expected: str) -> Iterator[None]:
    """Turn every exception of a library into one refusal; ours go through as they are.

    A library that fails over bytes of others has not accepted them, whatever it raises. pyo3 raises the panics of Rust
    code as a BaseException of its own, which `except Exception` would let through.
    """
    try:
        yield
    except AegisError:
        raise
    except Exception as error:
        raise refused(code, problem, expected=expected) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise refused(code, problem, expected=expected) from error
