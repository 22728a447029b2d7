"""A file is served, measured and judged in an environment without torch."""

import subprocess
import sys

import pytest

# Every module of the rooms that must do without torch, imported one by one where torch cannot be.
WITHOUT_TORCH = """
import importlib, pkgutil, sys
sys.modules["torch"] = None  # from here on `import torch` fails

import econet
rooms = ("statistics", "images", "runs", "data", "deployment.engines", "deployment.proof", "measurement")
rooms += ("report", "serving")
names = ["econet.cli.main", *(f"econet.deployment.{name}" for name in ("predictor", "graph", "sidecar", "zoo"))]
names += [f"econet.explanation.{name}" for name in ("occlusion", "random_masks", "evidence", "randomised_file")]
names += ["econet.jobs.explain", "econet.jobs.prove"]
for room in rooms:
    package = importlib.import_module(f"econet.{room}")
    names += [found.name for found in pkgutil.walk_packages(package.__path__, f"econet.{room}.")]
names = [name for name in names if not name.startswith("econet.data.augmentation")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)


def test_the_rooms_that_serve_files_import_where_there_is_no_torch():
    result = run(WITHOUT_TORCH)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 40


@pytest.mark.parametrize("module", ["econet", "econet.cli.main", "econet.deployment.predictor"])
def test_start_up_loads_no_torch(module):
    result = run(f"import {module}, sys; print([name for name in ('torch', 'matplotlib') if name in sys.modules])")
    assert result.stdout == "[]\n", result.stderr


@pytest.mark.parametrize("module", ["econet", "econet.cli.main"])
def test_start_up_of_the_terminal_loads_no_runtime_either(module):
    result = run(
        f"import {module}, sys; print([name for name in ('onnx', 'onnxruntime', 'PIL') if name in sys.modules])"
    )
    assert result.stdout == "[]\n", result.stderr
