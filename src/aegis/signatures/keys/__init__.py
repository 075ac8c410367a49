"""Signatures by keys, alone or certified by a private authority."""
