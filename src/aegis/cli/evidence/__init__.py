"""`aegis evidence`: signed verdicts are kept in a store, verified, and found by commit and by digest."""
