"""`aegis backup-check`: the gate that asks whether backups are fresh and lately proven."""
