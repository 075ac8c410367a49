"""The forms in which signatures lie there."""
