"""A private Sigstore in memory: authority, certificate log, transparency logs of both versions, timestamp authority.

It makes bundles of every kind that signers write, and through the arguments of its parts, every attack. Times are
given, never read from a clock; keys are new in each instance.
"""
