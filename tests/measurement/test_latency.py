import pytest

from econet.errors import UserError
from econet.measurement import latency
from econet.measurement.latency import benchmark, latency_ratio
from econet.measurement.machine import describe_machine
from econet.measurement.memory import peak_memory_bytes
from econet.models import cost
from econet.models.econet import econet


@pytest.fixture(scope="module")
def measurements(artifacts):
    return benchmark(artifacts, [123, None], rounds=3, round_seconds=0.002)


def test_every_file_gets_a_whole_record(measurements, artifacts):
    for measured, path in zip(measurements, artifacts, strict=True):
        record = measured.benchmark
        assert (record.subject, record.bytes) == (str(path), path.stat().st_size)
        assert (record.runtime.threads, record.runtime.spinning) == (1, False)
        assert 0 < record.latency_ms.p50 <= record.latency_ms.p95
        assert record.latency_ms.rounds == len(measured.round_medians_ms) == 3
        assert record.latency_ms.calls >= 5
        assert record.cpu_s_per_1000 > 0
        assert record.throughput_images_per_s > 0
        assert (record.energy_mj is None) == (record.energy_estimate is not None)
    assert [each.benchmark.parameters_trained for each in measurements] == [123, None]


def test_macs_and_parameters_come_from_the_file(measurements):
    architectures = [econet((1, 28, 28), 10, width=width) for width in (0.25, 1.0)]
    assert [each.benchmark.macs for each in measurements] == [cost.macs(each) for each in architectures]
    assert [each.benchmark.parameters for each in measurements] == [cost.parameters(each) for each in architectures]


def test_the_files_take_turns_in_every_round(artifacts, monkeypatch):
    turns = []

    def noting(subject):
        turns.append(subject.path)
        take(subject)

    take = latency._Subject.take_round
    monkeypatch.setattr(latency._Subject, "take_round", noting)
    benchmark(artifacts, [None, None], rounds=2, round_seconds=0.001)
    first, second = artifacts
    assert turns == [first, second, second, first]


def test_a_ratio_comes_with_its_range_over_the_rounds():
    assert latency_ratio([1.0, 2.0, 9.0], [2.0, 2.0, 3.0]) == (1.0, 0.5, 3.0)
    with pytest.raises(ValueError, match="zip"):
        latency_ratio([1.0], [1.0, 2.0])


def test_a_file_that_is_no_artifact_is_refused_before_anything_is_measured(artifacts, tmp_path):
    stranger = tmp_path / "stranger.onnx"
    stranger.write_bytes(b"hello")
    with pytest.raises(UserError, match=r"stranger\.onnx"):
        benchmark([artifacts[0], stranger], [None, None])


def test_peak_memory_is_that_of_a_small_process_of_its_own(artifacts):
    ballast = bytearray(300_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])
    assert 20_000_000 < peak_memory_bytes(artifacts[0]) < 250_000_000
    assert len(ballast) == 300_000_000


def test_a_failing_measurement_of_memory_says_why(tmp_path):
    with pytest.raises(RuntimeError, match=r"absent\.onnx"):
        peak_memory_bytes(tmp_path / "absent.onnx")


def test_the_processor_is_read_from_what_linux_tells(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name : Example 9000\nflags : fpu avx2 avx512_vnni sse\n\nprocessor : 1\n")
    found = describe_machine(cpuinfo)
    assert (found.cpu, found.features) == ("Example 9000", ("avx2", "avx512_vnni"))
    assert found.cores >= 1
    cpuinfo.write_text("processor : 0\nFeatures : fp asimd asimddp\n")
    assert describe_machine(cpuinfo).features == ("asimd", "asimddp")


def test_a_machine_without_cpuinfo_still_has_a_name(tmp_path):
    assert describe_machine(tmp_path / "absent").cpu
