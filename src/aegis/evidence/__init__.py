"""Signed verdicts that outlive the runs that made them: where they lie, and what makes one believed."""
