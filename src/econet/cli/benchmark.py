"""`econet benchmark`: what a file costs on this machine."""

from typing import TYPE_CHECKING

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.targets import target as find_target
from econet.cli.terminal import Terminal, table
from econet.runs.choices import RuntimeName

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.runs.artifact_records import Benchmark


@options.command(example="econet benchmark runs/large/model.onnx runs/small/model.int8.onnx")
@click.argument("targets", metavar="RUN|FILE|ZOO...", nargs=-1, required=True)
@options.runtime_option
def benchmark(terminal: Terminal, *, targets: tuple[str, ...], runtime: RuntimeName | None) -> int:
    """Measure size, computation and time on this machine.

    Parameters, MACs, bytes, latency, processor time and memory; several files take turns in one measurement. Each
    record lies beside its file: model.benchmark.json, and with --runtime openvino model.openvino.benchmark.json.
    """
    found = [find_target(word) for word in targets]

    from econet.jobs.benchmark import benchmark as job

    terminal.note("measuring; other work on this machine disturbs it")
    benchmarks = job(found, runtime)
    terminal.result({"benchmarks": benchmarks}, human=lambda: _shown(benchmarks))
    return DONE


def _shown(benchmarks: "list[Benchmark]") -> "list[RenderableType]":
    from econet.report import numbers

    rows = [
        [
            each.subject,
            each.precision,
            numbers.magnitude(each.parameters),
            "not counted" if each.macs is None else numbers.magnitude(each.macs),
            numbers.file_size(each.bytes),
            numbers.per_image(each.latency_ms.p50),
            numbers.per_image(each.latency_ms.p95),
            f"{numbers.significant(each.cpu_s_per_1000)} s",
            f"{numbers.significant(each.peak_memory_mb)} MB",
        ]
        for each in benchmarks
    ]
    headings = ["File", "", "Parameters", "MACs", "Bytes", "p50", "p95", "CPU of 1,000", "Memory"]
    machine, runtime = benchmarks[0].machine, benchmarks[0].runtime
    threads = "one thread" if runtime.threads == 1 else f"{runtime.threads} threads"
    engines = dict.fromkeys(f"{each.runtime.name} {each.runtime.version}" for each in benchmarks)
    how = f"one image at a time, {threads}, {' and '.join(engines)} on {machine.cpu} ({machine.cores} cores)"
    return [table(headings, rows, left=2), "", how]
