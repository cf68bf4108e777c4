"""An experiment run once for all its tests, and the form that each result has."""

import importlib
import json
from functools import cache

from cnnlab.lab.finding import Finding, Settings


@cache
def found(name: str) -> Finding:
    """The finding of `name` with the default settings."""
    finding: Finding = importlib.import_module(f"cnnlab.lab.{name}").experiment(Settings())
    assert "\n" not in finding.title
    assert all(len(line) <= 120 for line in finding.text.splitlines())
    assert finding.values == json.loads(json.dumps(finding.values, allow_nan=False))
    assert finding.figure.axes or finding.figure.subfigs
    return finding
