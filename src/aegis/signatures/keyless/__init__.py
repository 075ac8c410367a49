"""Signatures without a key of one's own: certificates, logs and timestamps of Sigstore, verified offline."""
