"""Scores, from weights that an object store holds."""

from __future__ import annotations

import json
from dataclasses import dataclass

from shop_ml.ports.objects import ObjectStore


@dataclass(frozen=True)
class Model:
    """A linear model: one weight for each feature."""

    weights: dict[str, float]

    def score(self, features: dict[str, float]) -> float:
        """The weighted sum; a feature without a weight counts nothing."""
        return sum(self.weights.get(name, 0.0) * value for name, value in features.items())


def load(store: ObjectStore, key: str = "models/ranker.json") -> Model:
    """The model that stands under the key."""
    found = json.loads(store.read(key))
    return Model({str(name): float(weight) for name, weight in found.items()})
