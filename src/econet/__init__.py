"""EcoNet: the smallest network file that is still as good as an AlexNet-style baseline, and the proof of it.

Nothing heavy is loaded until it is used (PEP 562).
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from econet.errors import UserError
from econet.version import __version__

if TYPE_CHECKING:
    from econet import models
    from econet.deployment.predictor import Predictor
    from econet.jobs.python import (
        compare,
        evaluate,
        export,
        ledger,
        load_data,
        prune,
        quantize,
        sensitivity,
        shrink,
        train,
    )
    from econet.jobs.python_check import check
    from econet.jobs.python_explain import explain

# From 1.29 on ONNX Runtime's own builds tell their makers of every session, unless this is set before they are loaded.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "Predictor",
    "UserError",
    "__version__",
    "check",
    "compare",
    "evaluate",
    "explain",
    "export",
    "ledger",
    "load_data",
    "models",
    "prune",
    "quantize",
    "sensitivity",
    "shrink",
    "train",
]

_WHERE = {
    "Predictor": "econet.deployment.predictor",
    "check": "econet.jobs.python_check",
    "compare": "econet.jobs.python",
    "evaluate": "econet.jobs.python",
    "explain": "econet.jobs.python_explain",
    "export": "econet.jobs.python",
    "ledger": "econet.jobs.python",
    "load_data": "econet.jobs.python",
    "prune": "econet.jobs.python",
    "quantize": "econet.jobs.python",
    "sensitivity": "econet.jobs.python",
    "shrink": "econet.jobs.python",
    "train": "econet.jobs.python",
}


def __getattr__(name: str) -> Any:
    if name == "models":
        importlib.import_module("econet.models.catalog")
        return importlib.import_module("econet.models")
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'econet' has no attribute {name!r}")
