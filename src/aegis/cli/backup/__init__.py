"""`aegis backup`: backups are taken, listed, proven, restored and pruned; one module a subcommand."""
