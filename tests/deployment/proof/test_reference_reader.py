"""The reference reader in the docs proves a file where EcoNet cannot be imported, and is no accomplice."""

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from econet.deployment.proof.proof_file import proof_path

READER = Path(__file__).parents[3] / "docs" / "prove_reference.py"


def read(given, *options):
    """Run the reader where neither EcoNet nor torch, onnx or msgspec can be imported."""
    program = (
        "import runpy, sys\n"
        "for name in ('econet', 'torch', 'onnx', 'msgspec'): sys.modules[name] = None\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    words = [sys.executable, "-I", "-c", program, READER, given.path, proof_path(given.path), *options]
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("kind", [("gray", "int8"), ("colour", "fp32")], ids="-".join)
@pytest.mark.parametrize("options", [(), ("--photos",)], ids=["pixels", "photos"])
def test_the_reference_reader_proves_a_file_without_econet(proven, kind, options):
    given = proven(*kind)
    count = len(given.proof.photos) if options else len(given.proof.pixels)
    result = read(given, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == f"proven: {count} photos, classes coat, dress, hat, boot, bag\n"


def test_the_reference_reader_finds_a_changed_file(proven):
    given = proven("colour", "fp32")
    model = onnx.load(given.path)
    tensor = max(model.graph.initializer, key=lambda each: numpy_helper.to_array(each).size)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1.5, tensor.name))
    given.path.write_bytes(model.SerializeToString())
    result = read(given)
    assert result.returncode == 1
    assert "the file is another one" in result.stdout
    assert "the logits of colour.png differ" in result.stdout


def test_the_reference_reader_is_short_enough_to_read():
    code = [line for line in READER.read_text().splitlines() if line.strip()]
    assert len(code) <= 65
    assert not [line for line in code if "import" in line and "econet" in line.lower().split("import")[1]]
