"""Aegis: gates that cannot be green by accident.

Comes in: a repository, its policy (`aegis.yml`) and the evidence that a gate collects.
Goes out: one `Verdict` per gate (`aegis.core.verdict`), rendered by `aegis.report`.
"""

__version__ = "1.0.0"
