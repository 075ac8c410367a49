"""Evidence that grows while one looks: e-processes for rates of events, and what they are held against.

An e-process is a number that, as long as a hypothesis is true, exceeds 1/alpha at any time with a probability of at
most alpha (Ville 1939), however often one looks. All here are likelihood ratios of counted events, given exposures:

    increments ──> Ratio      canary against stable: a likelihood of the ratio of both rates, on a grid
               ──> Absolute   canary against a fixed rate
               ──> Clustering how many bad events come at once
               ──> Spread     how much pods of one version differ by chance

The last two are estimated on the stable side alone, and make the first's null hypothesis as wide as the world is.
"""
