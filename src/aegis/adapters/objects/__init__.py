"""Stores of objects: S3 and what speaks its protocol, OCI Object Storage, plain HTTPS, local folders."""
