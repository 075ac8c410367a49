"""The tamper-evident log: who did what to which model or database, for others to verify.

Its files are those of C2SP tlog-tiles (https://github.com/C2SP/C2SP/blob/main/tlog-tiles.md) with signed checkpoints,
so that the tools of Certificate Transparency's successors read them too.
"""
