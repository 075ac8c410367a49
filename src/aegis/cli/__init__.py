"""The command line: one module a command. It parses, joins adapters and gates, and prints; it decides nothing."""
