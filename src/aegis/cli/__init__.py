"""The command line: a folder for a command of several modules, a module for a small one, and what they share.

It parses, joins adapters and gates, and prints; it decides nothing.
"""
