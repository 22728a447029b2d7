"""Start a program under `torchrun`, its processes finding each other over the loopback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

LOOPBACK = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def launch(program: Path, *words: object, processes: int) -> subprocess.CompletedProcess[str]:
    """Run `program` in so many processes; a single one needs no torchrun."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = ("--nnodes=1", "--master-addr=127.0.0.1", f"--master-port={port}")
    torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", *place] if processes > 1 else []
    return subprocess.run(
        [sys.executable, *torchrun, program, *map(str, words)],
        env={**os.environ, **LOOPBACK},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
