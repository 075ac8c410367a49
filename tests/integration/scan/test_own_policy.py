"""This repository keeps its own rule, and each exception in its policy is needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from aegis.core.policy_file import parse_policy
from aegis.core.policy_in_force import InForce
from aegis.gates.scan.base import Base
from aegis.gates.scan.gate import Judged, Request, judge
from tests.support.engine import real_engine
from tests.support.gitrepo import GitRepo

ROOT = Path(__file__).parents[3]
POLICY = yaml.safe_load((ROOT / "aegis.yml").read_text())
ENTRIES = POLICY["scan"]["allow"]
