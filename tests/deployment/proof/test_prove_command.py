"""`econet prove` in a terminal: one sentence for the cause, an exit code, JSON, and no torch."""

import json
import os
import subprocess
import sys

import onnx
import pytest

from econet.cli.main import main
from econet.deployment.proof.proof_file import proof_path, read_proof
from econet.deployment.targets.catalog import TARGETS
from econet.jobs.prove import prove, prove_beside

WITHOUT_TORCH = (
    "import sys; sys.modules['torch'] = None; from econet.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


def test_a_file_is_proven_in_a_process_without_torch(proven):
    given = proven("gray", "int8")
    words = [sys.executable, "-c", WITHOUT_TORCH, "prove", str(given.path), "--json"]
    result = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, env=os.environ)
    assert result.returncode == 0, result.stderr
    replay = json.loads(result.stdout)
    assert replay["passed"] is True
    assert replay["findings"] == []
    assert {check["stage"]: check["photos"] for check in replay["checks"]}["answers"] == len(given.proof.photos)


def test_what_differs_is_one_sentence_with_its_remedy(proven, capsys):
    given = proven("gray", "int8")
    model = onnx.load(given.path)
    raw = bytearray(model.graph.initializer[-1].raw_data)
    raw[0] ^= 1
    model.graph.initializer[-1].raw_data = bytes(raw)
    given.path.write_bytes(model.SerializeToString())
    assert main(["prove", str(given.path)]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line.startswith("not proven: weights were changed: 1 of ")]
    assert [line for line in shown if line.strip().startswith("try: put the file back")]


def test_an_absent_proof_and_a_runtime_of_another_format_can_be_put_right(proven, capsys):
    given = proven("gray", "int8")
    assert main(["prove", str(given.path), "--runtime", "litert"]) == 2
    assert "litert cannot run" in capsys.readouterr().err
    proof_path(given.path).unlink()
    assert main(["prove", str(given.path)]) == 2
    assert "--proof FILE" in capsys.readouterr().err


def test_a_proof_that_lies_elsewhere_is_named(proven, tmp_path, capsys):
    given = proven("gray", "int8")
    moved = proof_path(given.path).rename(tmp_path / "elsewhere.npz")
    assert main(["prove", str(given.path), "--proof", str(moved), "--photos", str(tmp_path / "photos")]) == 0
    assert (tmp_path / "photos" / "oriented.jpg").read_bytes() == given.proof.photos[1]
    assert main(["prove", str(given.path), "--proof", str(moved), "--quiet"]) == 0


@pytest.mark.parametrize("format", ["litert", "openvino"])
def test_files_of_other_formats_prove_themselves_in_their_runtime(proven, tmp_path, format):
    given = proven("gray", "fp32")
    made = TARGETS[format].make(onnx.load(given.path), (-20.0, 20.0), "small")
    ending = {"litert": ".tflite", "openvino": ".xml"}[format]
    path = tmp_path / f"small{ending}"
    from econet.deployment.sidecar import write_sidecar

    for each, content in made.contents.items():
        path.with_suffix(each).write_bytes(content)
    write_sidecar(path, made.sidecar)
    proof = prove_beside(path)
    assert proof.name == f"small{ending}.proof.npz"
    assert [file.name for file in read_proof(proof).head.files] == [
        path.with_suffix(each).name for each in made.contents
    ]
    assert prove(path, runtime=format).passed
