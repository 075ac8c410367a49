"""The acceptance criteria of the runbook, checked by one command: a catalogue of probes in, evidence and a verdict out."""
