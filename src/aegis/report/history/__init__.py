"""Past verdicts, and what they say together: gates over time, last proven restores, models and signers, exceptions.

Comes in: folders of `verdict.json` files, or archives of them; nothing in them is believed before it was read by the
published schema. Goes out: a page and a JSON document. What could not be read is named and counted in both.
"""
