"""`aegis acceptance`."""
