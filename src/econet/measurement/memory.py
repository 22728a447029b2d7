"""Peak memory of a process that does nothing but load one artifact and run it.

`python -m econet.measurement.memory FILE RUNTIME` is that process: it prints its peak in bytes.
"""

import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from econet.runs.beside import runtimes_of
from econet.runs.choices import RuntimeName

_CALLS = 3


def peak_memory_bytes(path: Path, runtime: RuntimeName | None = None) -> int:
    """Peak resident memory (bytes) of a fresh interpreter that opens `path` and answers three times at batch 1.

    The interpreter, numpy and the runtime, the format's own unless one is named, are part of it. Raises RuntimeError
    where the process fails.
    """
    command = [sys.executable, "-m", "econet.measurement.memory", str(path), runtime or runtimes_of(path)[0]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring the memory of {path} failed: {done.stderr.strip()}")
    return int(done.stdout)


def _run_once(path: Path, runtime: str) -> None:
    if path.suffix != ".onnx":
        run = _other_call(path)
    else:
        run = _openvino_call(path) if runtime == "openvino" else _onnx_call(path)
    for _ in range(_CALLS):
        run()


def _onnx_call(path: Path) -> Callable[[], object]:
    """One image at batch 1, by the runtime alone: checking an ONNX file takes many times its size."""
    import numpy as np

    from econet.deployment.session import open_session

    session = open_session(path.read_bytes(), dimensions={"N": 1})
    taken = session.get_inputs()[0]
    image = np.zeros([1, *taken.shape[1:]], np.uint8)
    return partial(session.run, None, {taken.name: image})


def _openvino_call(path: Path) -> Callable[[], object]:
    import numpy as np

    from econet.deployment.engines.openvino import OpenVinoEngine

    engine = OpenVinoEngine(path.read_bytes(), b"", threads=1, batch=1)
    channels, height, width = engine.image
    return engine.call(np.zeros((1, height, width, channels), np.uint8))


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
    _run_once(Path(sys.argv[1]), sys.argv[2])
    print(_peak_bytes())
