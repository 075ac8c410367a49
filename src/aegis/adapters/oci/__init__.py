"""OCI: who we are there, and how requests are signed."""
