"""What Python files and notebooks name: imports, commands, and whatever stands inside strings."""
