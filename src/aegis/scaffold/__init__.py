"""What sets a repository up: its workflows and policy, its protection at GitHub, its chart values."""
