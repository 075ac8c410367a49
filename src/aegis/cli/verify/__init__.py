"""`aegis verify`: the gate of signed artifacts, and the commands about single ones."""
