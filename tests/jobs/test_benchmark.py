"""`benchmark` on runs and files: what is counted agrees with the file and with the run's own weights."""

import shutil
from pathlib import Path

import msgspec
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from econet.cli.main import main
from econet.errors import UserError
from econet.jobs.benchmark import benchmark
from econet.models import catalog
from econet.runs.artifact_records import Benchmark
from econet.runs.folder import Run
from econet.runs.record import read_record

pytest_plugins = ["small_comparison"]


@pytest.fixture
def home(compared, tmp_path):
    shutil.copytree(compared.folder, tmp_path / "compared")
    return tmp_path / "compared"


def network_of(run):
    return catalog.network(run.config.architecture)


def test_parameters_and_macs_are_those_of_the_network_in_torch(home, in_haste):
    for role in ("baseline", "candidate"):
        run = Run(home / role)
        network = network_of(run).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 1, 28, 28))
        full, int8 = benchmark([run.folder])
        assert full.macs == int8.macs == counter.get_total_flops() // 2
        assert full.parameters_trained == sum(each.numel() for each in network.parameters())
        assert full.bytes == run.artifact("fp32").stat().st_size
        assert full.parameters == int8.parameters <= full.parameters_trained
        assert (full.runtime.threads, full.runtime.spinning) == (1, False)
        assert full.latency_ms.p50 <= full.latency_ms.p95


def test_runs_and_files_are_measured_in_the_order_named_and_recorded_beside_each_file(home, in_haste, tmp_path):
    alone = Path(shutil.copy(home / "candidate" / "model.int8.onnx", tmp_path / "small.onnx"))
    found = benchmark([alone, home / "baseline"])
    assert [Path(each.subject).name for each in found] == ["small.onnx", "model.onnx", "model.int8.onnx"]
    assert found[0].parameters_trained is None
    assert read_record(tmp_path / "small.benchmark.json", Benchmark) == found[0]
    assert read_record(home / "baseline" / "model.int8.benchmark.json", Benchmark) == found[2]


def test_energy_is_a_counter_s_or_null_with_an_estimate_named_as_one(compared):
    for each in compared.record.sides:
        measured, estimate = each.benchmark.energy_mj, each.benchmark.energy_estimate
        assert (measured is None) == (estimate is not None)
        assert each.benchmark.energy_method
        if estimate is not None:
            assert 0 < estimate.low_mj < estimate.high_mj


def test_a_run_that_was_not_exported_is_told_how(home):
    for path in Run(home / "baseline").artifacts():
        path.unlink()
    with pytest.raises(UserError, match="has no file to measure yet") as told:
        benchmark([home / "baseline"])
    assert told.value.remedy == f"econet export {home / 'baseline'}"


def test_a_folder_that_is_no_run_and_a_file_that_is_no_network_end_with_2(tmp_path, capsys):
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"not a network")
    assert main(["benchmark", str(tmp_path)]) == 2
    assert main(["benchmark", str(junk)]) == 2
    said = capsys.readouterr().err
    assert "is not a run" in said
    assert "junk.onnx is not a whole ONNX file" in said


def test_the_terminal_prints_one_json_object(home, in_haste, capsys):
    assert main(["benchmark", str(home / "candidate"), "--json"]) == 0
    printed = msgspec.json.decode(capsys.readouterr().out)
    assert [each["precision"] for each in printed["benchmarks"]] == ["fp32", "int8"]
