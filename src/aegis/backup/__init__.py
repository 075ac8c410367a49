"""Backups of a database and the proof that they restore: what a dump holds, and whether two databases hold the same.

Text, types and decisions only; the adapters ask PostgreSQL, run its tools and reach the stores.
"""
