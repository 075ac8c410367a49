"""`aegis evidence` with an S3 that nobody here wrote."""

from tests.support.verdicts.evidence_desk import desk

__all__ = ["desk"]
