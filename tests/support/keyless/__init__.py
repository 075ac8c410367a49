"""Keyless bundles with the verdict that each deserves: for the battery, and for second opinions."""
