"""The processor a measurement was taken on."""

import os
import platform
from pathlib import Path

from econet.runs.artifact_records import Machine

# What decides the speed of 8-bit and float kernels; Linux names and macOS names alike.
_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm")
_CPUINFO = Path("/proc/cpuinfo")


def describe_machine(cpuinfo: Path = _CPUINFO) -> Machine:
    """Name, cores this process may use, and the instruction sets that matter."""
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.exists() else []
    fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line]
    entries = {field[0].lower(): field[1] for field in reversed(fields)}
    flags = set((entries.get("flags") or entries.get("features") or "").split())
    name = entries.get("model name") or platform.processor() or platform.machine()
    return Machine(cpu=name, cores=_cores(), features=tuple(each for each in _FEATURES if each in flags))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
