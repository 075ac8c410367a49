"""Which names belong to a cloud provider's SDK, by ecosystem.

One YAML file a provider is the source; `compile` turns them into `index.json`, which `load` reads in a few
milliseconds. `sources` compares the YAML files with the lists that the providers publish. Comes in: a surface and a
name. Goes out: the most specific `Entry` or nothing.
"""

from __future__ import annotations

from aegis.gates.scan.catalogue.lookup import Catalogue, load

__all__ = ["Catalogue", "load"]
