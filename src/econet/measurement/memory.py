"""Peak memory of a process that does nothing but load one artifact and run it.

`python -m econet.measurement.memory FILE` is that process: it prints its peak in bytes.
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

_CALLS = 3


def peak_memory_bytes(path: Path) -> int:
    """Peak resident memory (bytes) of a fresh interpreter that opens `path` and answers three times at batch 1.

    The interpreter, numpy and the runtime are part of it. Raises RuntimeError where the process fails.
    """
    command = [sys.executable, "-m", "econet.measurement.memory", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring the memory of {path} failed: {done.stderr.strip()}")
    return int(done.stdout)


def _run_once(path: Path) -> None:
    run = _onnx_call(path) if path.suffix == ".onnx" else _other_call(path)
    for _ in range(_CALLS):
        run()


def _onnx_call(path: Path) -> Callable[[], object]:
    """One image at batch 1, by the session alone: checking an ONNX file takes many times its size."""
    import numpy as np

    from econet.deployment.session import open_session

    session = open_session(path.read_bytes(), dimensions={"N": 1})
    taken = session.get_inputs()[0]
    image = np.zeros([1, *taken.shape[1:]], np.uint8)
    return partial(session.run, None, {taken.name: image})


def _other_call(path: Path) -> Callable[[], object]:
    import numpy as np

    from econet.deployment.artifact_file import open_artifact

    file = open_artifact(path)
    record = file.metadata.preprocess
    return file.engine(batch=1).call(np.zeros((1, *record.image_size, record.channels), np.uint8))


def _peak_bytes() -> int:
    """This process's own peak; on Linux from VmHWM, because `ru_maxrss` survives exec and may be the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    _run_once(Path(sys.argv[1]))
    print(_peak_bytes())
