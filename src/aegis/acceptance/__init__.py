"""The acceptance criteria of the runbook, checked: a catalogue of probes in, evidence and a verdict out.

`catalogue` reads what there is to check, `probe_answer` what a probe said, `judging` turns the answers of a criterion's
probes into its status, `result` into that of the whole run, and `evidence` into a folder that anybody can verify
offline. Programs are started by an adapter behind `running.Runner`; nothing here starts one.
"""
