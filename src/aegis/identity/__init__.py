"""Identity: OIDC tokens, their claims, what clouds make of them, and the credentials that they are exchanged for.

Comes in: a token that GitHub mints, a trust policy, the gate's own needs. Goes out: short-lived credentials that read
only those needs, or one error that names the claim. Tokens and credentials live in memory only.
"""
