"""Signed verdicts that outlive the run that gave them: kept in an object store, found by commit and by digest.

In go a gate's `verdict.json` and a Sigstore bundle around the in-toto statement that speaks for it; out comes whether a
commit, a model or an image has a verdict that counts. The store is believed in nothing but that it gives bytes: names
and listings only say where to look, and whatever is found is verified again.
"""
