"""Signed artifacts of a policy: who must have signed them, what of them is read, and whether it is what was signed.

The verify gate judges a whole policy with this, and the runtime loads one model with it: signatures, keys and stores
come from the rooms beside, and from whoever joins them.
"""
