"""Signed models: the manifest of OpenSSF Model Signing, and the names in it."""
