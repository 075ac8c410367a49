"""The API service: models and their states, and the audit log with its proofs, for callers with an OIDC token."""
