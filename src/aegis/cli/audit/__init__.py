"""`aegis audit`: the tamper-evident log, read, verified, proven and exported."""
