"""Run each experiment once for all its tests, and check the format of its result."""

import importlib
import json
from functools import cache

from cnnlab.lab.finding import Finding, Settings


@cache
def found(name: str) -> Finding:
    """The result of the experiment `name` with the default settings."""
    finding: Finding = importlib.import_module(f"cnnlab.lab.{name}").experiment(Settings())
    assert "\n" not in finding.title
    assert all(len(line) <= 120 for line in finding.text.splitlines())
    assert finding.values == json.loads(json.dumps(finding.values, allow_nan=False))
    assert finding.figure.axes or finding.figure.subfigs
    return finding
