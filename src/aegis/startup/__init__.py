"""From a bare `python3` to a running gate: the standard library only, readable by Python 3.10.

Comes in: `AEGIS_INPUT_*` and GitHub's own variables, or nothing on a laptop.
Goes out: an environment that holds exactly what a lock names, and the exit code of the gate that ran in it.

`tier0`        refuses a wrong configuration before anything is downloaded
`uv`           the one version of uv that the locks name
`environment`  an environment per lock, by hash, wheels only
`supervise`    runs the gate, and is red when the gate says nothing
`problem`      what went wrong, for people, annotations, summary and outputs
"""
