"""Try damaged files in child processes, so that the death of one is seen and counted.

    python -m strangers.trial SUBJECT --count 5000 [--first 0] [--children 2]        (in tests/)

SUBJECT is onnx, weights or records. Prints one JSON object. The parent imports nothing that could die with a file.
"""

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

# A child that says nothing for so long hangs.
STUCK_S = 600
# Where every child dies, trying on would tell no more.
MOST_DEATHS = 20
TESTS = Path(__file__).parents[1]


@dataclass
class Found:
    """What became of the files of one trial."""

    files: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    # Numbers of the files at which a child died, and by which signal; at which an error came that is no refusal.
    died: dict[int, str] = field(default_factory=dict)
    wrong: dict[int, str] = field(default_factory=dict)
    # What was opened, started or removed outside the child's own folder while a file was tried.
    outside: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_memory_mb: int = 0


def trial(subject: str, first: int, count: int, children: int) -> Found:
    """Try the files numbered `first` to `first + count`, shared among so many processes at a time."""
    found = Found()
    marks = [first + count * number // children for number in range(children + 1)]
    threads = [
        threading.Thread(target=_share, args=(subject, start, stop, found)) for start, stop in itertools.pairwise(marks)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _share(subject: str, start: int, stop: int, found: Found) -> None:
    """Children one after the other: the next begins behind the file at which the last one died."""
    while start < stop:
        words = [sys.executable, "-m", "strangers.trial", subject, "--child", str(start), str(stop)]
        with tempfile.TemporaryFile("w+") as said:
            child = subprocess.Popen(words, cwd=TESTS, stdout=subprocess.PIPE, stderr=said, text=True)
            watch = _watch(child)
            for line in child.stdout or ():
                watch.cancel()
                watch = _watch(child)
                start = _count(json.loads(line), found, start)
            watch.cancel()
            if child.wait() != 0:
                said.seek(0)
                found.died[start] = f"exit {child.returncode}: {said.read()[-500:]}"
                start += 1
        if len(found.died) > MOST_DEATHS:
            return


def _watch(child: subprocess.Popen) -> threading.Timer:
    """End the child where it stays silent."""
    watch = threading.Timer(STUCK_S, child.kill)
    watch.start()
    return watch


def _count(line: dict, found: Found, start: int) -> int:
    """Add a child's line; returns the number of the next file."""
    if "number" not in line:
        found.peak_memory_mb = max(found.peak_memory_mb, line["peak_memory_mb"])
        return start
    found.files += 1
    found.outcomes[line["outcome"]] = found.outcomes.get(line["outcome"], 0) + 1
    found.slowest_s = max(found.slowest_s, line["seconds"])
    found.outside += line["outside"]
    if line["outcome"] == "wrong":
        found.wrong[line["number"]] = line["why"]
    return line["number"] + 1


def child(subject: str, start: int, stop: int) -> None:
    """Try the files one after the other, a line of JSON for each."""
    from strangers.subjects import SUBJECTS

    with tempfile.TemporaryDirectory() as place:
        tried = SUBJECTS[subject](Path(place))
        seen = _watched(Path(place))
        for number in range(start, stop):
            content = tried.damage(number)
            seen.clear()
            began = time.process_time()
            line: dict[str, object] = {"number": number}
            try:
                line["outcome"] = tried.ask(content, number)
            except Exception as error:
                line |= {"outcome": "wrong", "why": f"{type(error).__name__}: {str(error)[:500]}"}
            seconds = round(time.process_time() - began, 3)
            print(json.dumps(line | {"seconds": seconds, "outside": seen[:5]}), flush=True)
    status = Path("/proc/self/status")
    peak = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else ["0"]
    print(json.dumps({"peak_memory_mb": int(peak[0]) // 1000}), flush=True)


def _watched(folder: Path) -> list[str]:
    """From now on what this process opens, starts or removes outside `folder`; Python's own modules set aside."""
    seen: list[str] = []
    own = (os.fspath(folder), os.devnull, sys.prefix, sys.base_prefix, os.fspath(TESTS.parent / "src"), "/proc/self")
    acts = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "os.remove", "os.rename")

    def hook(event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.fsdecode(arguments[0])
            if not path.startswith(own):
                seen.append(f"open {path}")
        elif event in acts and not str(arguments[0]).startswith(own):
            seen.append(f"{event} {arguments[0]!r}")

    sys.addaudithook(hook)
    return seen


def main() -> int:
    """Try, print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subject")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--child", type=int, nargs=2)
    asked = parser.parse_args()
    if asked.child:
        child(asked.subject, *asked.child)
        return 0
    print(json.dumps(asdict(trial(asked.subject, asked.first, asked.count, asked.children)), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
