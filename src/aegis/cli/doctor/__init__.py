"""`aegis doctor`: what is missing or weak in a repository."""
