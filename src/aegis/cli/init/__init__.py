"""`aegis init`: the files that a repository needs for its gates."""
