"""`aegis canary`: the gate of rollouts, and the tools beside it; one module a subcommand."""
