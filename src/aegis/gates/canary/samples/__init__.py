"""From a store's raw samples to what each pod counted between two of its scrapes.

    policy ─sources→ Source ─queries→ PromQL ─port→ Series ─counters→ Increment

`look` does that once for all metrics. Rates and `increase()` never enter: they extrapolate, and miss what a series
counted before its first sample (prometheus/prometheus#3886).
"""
