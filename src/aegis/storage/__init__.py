"""Storage: from objects in a store to verified bytes, in one pass.

List → plan → read each byte once, hashing it as it is written → publish by rename. Nothing unverified is ever at the
destination. Stores are reached through `aegis.core.ports.objects`; who signed what is `aegis.signatures`' business.
"""
