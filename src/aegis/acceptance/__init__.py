"""The acceptance criteria of the runbook, checked: a catalogue of probes in, evidence and a verdict out."""
