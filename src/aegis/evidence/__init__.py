"""Signed verdicts that outlive the runs that made them: where they lie in an object store, and what makes one believed."""
