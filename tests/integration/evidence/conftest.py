"""`aegis evidence` in this process, in a repository with a policy."""

from tests.support.verdicts.evidence_desk import desk

__all__ = ["desk"]
