"""`aegis all`: every gate that the policy names, in one process or over the jobs of a matrix."""
