"""The gate `scan`: no direct cloud SDK in runtime code.

    git grep ─candidates→ file ─read→ Statement ─match→ Use ─gate→ Finding

`candidates` finds the lines where a use could stand, `extract` cuts files into statements, `match` asks the catalogue
and semgrep, `survey` does that for a tree or both sides of a change, and `gate` applies the policy.
"""
