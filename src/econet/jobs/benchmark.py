"""`benchmark`: what files cost, all of them measured in one interleaved run."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

from safetensors import SafetensorError, safe_open

from econet.deployment.artifact_file import check_runs
from econet.errors import UserError, one_line
from econet.measurement import latency
from econet.runs.artifact_records import Benchmark
from econet.runs.beside import beside, runtimes_of
from econet.runs.choices import RuntimeName
from econet.runs.folder import Run, open_run
from econet.runs.record import write_record


def benchmark(targets: list[Path], runtime: RuntimeName | None = None) -> list[Benchmark]:
    """Measure run folders (every artifact in them) and files together, and write each record beside its file.

    A `runtime` runs all of them, and of a run folder those files that are for it. Figures of another runtime than the
    format's own go to a record of their own, `model.openvino.benchmark.json`.
    Raises UserError where a target is no run, has no file yet, is no EcoNet file, or is nothing for the runtime.
    """
    files = [each for target in targets for each in _files_of(target, runtime)]
    for path, _ in files:
        check_runs(path, runtime)
    return benchmark_artifacts(files, runtime)[0]


def _files_of(target: Path, runtime: RuntimeName | None) -> list[tuple[Path, Run | None]]:
    """The files of a run folder with their run, or one file. Raises UserError where a folder holds none."""
    if not target.is_dir():
        run = Run(target.parent)
        return [(target, run if run.exists else None)]
    run = open_run(target)
    run.config  # noqa: B018 - raises where the run is of no network and can have no file
    if not run.artifacts():
        raise UserError(f"{target} has no file to measure yet", "it was not exported", f"econet export {target}")
    return [(path, run) for path in artifacts_for(run, runtime)]


def artifacts_for(run: Run, runtime: RuntimeName | None) -> list[Path]:
    """The artifacts of a run, those alone that are for the `runtime`. Raises UserError where there is none of these."""
    every = run.artifacts()
    fitting = [path for path in every if runtime is None or runtime in runtimes_of(path)]
    if every and not fitting:
        check_runs(every[0], runtime)
    return fitting


def benchmark_artifacts(
    targets: Sequence[tuple[Path, Run | None]], runtime: RuntimeName | None = None
) -> tuple[list[Benchmark], list[tuple[float, ...]]]:
    """The records, and each file's median latency (ms) round by round, in the order of `targets`."""
    trained = [None if run is None else parameters_trained(run) for _, run in targets]
    measurements = latency.benchmark([path for path, _ in targets], trained, runtime=runtime)
    for (path, _), measurement in zip(targets, measurements, strict=True):
        write_record(beside(path, "benchmark.json", runtime), measurement.benchmark)
    return [each.benchmark for each in measurements], [each.round_medians_ms for each in measurements]


def parameters_trained(run: Run) -> int | None:
    """Trainable weights of a finished run, batch norm's included; its running statistics are no parameters."""
    if not run.weights_path.exists():
        return None
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    try:
        with safe_open(run.weights_path, framework="numpy") as stream:
            # A safetensors file is no dict: it has keys() but is not iterable.
            names = [name for name in stream.keys() if not name.endswith(statistics)]  # noqa: SIM118
            return sum(prod(stream.get_slice(name).get_shape()) for name in names)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"the weights in {run.weights_path} cannot be counted", one_line(error), "train again, or name another run"
        ) from error
