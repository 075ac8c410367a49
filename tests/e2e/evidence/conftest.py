"""`aegis evidence` with an S3 that nobody here wrote."""

from tests.support.evidence_desk import desk

__all__ = ["desk"]
