"""The load path of a serving system, and what it leaves behind: states and audit entries."""
