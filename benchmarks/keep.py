"""Keep what a program or a test run found, with date and machine, as a record for docs/promises.md.

    python -m strangers.trial onnx --count 5000 | python ../benchmarks/keep.py strangers-onnx -       (in tests/)
    python benchmarks/keep.py near-duplicates near.json
    python benchmarks/keep.py proof --tests tests/deployment/proof

NAME is that of a promise in src/econet/report/promises.py. Figures are a JSON object in FILE (-: from standard input),
or how many of the tests named passed, the slow ones among them. Run it where the figures were made, and right after.
The record is benchmarks/results/NAME.json; `make tables` writes the page. Where a test failed there is none: exit 1.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec

from econet.errors import unknown_name
from econet.measurement.machine import describe_machine
from econet.report.promises import PROMISES, markdown
from econet.runs import provenance
from econet.runs.measured_records import Measured
from econet.runs.record import write_record
from econet.version import __version__

RESULTS = Path(__file__).parent / "results"


def tested(paths: Sequence[str]) -> dict[str, int]:
    """How many of the tests at `paths` passed and how many were skipped. Exits with 1 where one failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = [sys.executable, "-m", "pytest", *paths, "-m", "slow or not slow", f"--junitxml={report}"]
        done = subprocess.run(words, stdout=sys.stderr, check=False)
        if done.returncode != 0:
            sys.exit(1)
        suite = ElementTree.parse(report).getroot()[0].attrib
    tests, skipped = int(suite["tests"]), int(suite["skipped"])
    return {"tests": tests, "passed": tests - skipped, "skipped": skipped}


def read(file: str) -> dict[str, Any]:
    """The JSON object in a file, or on standard input."""
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    return msgspec.json.decode(content, type=dict[str, Any])


def main(words: Sequence[str] | None = None) -> int:
    """Keep one record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("file", nargs="?", help="a JSON object; - for standard input")
    parser.add_argument("--tests", nargs="+", metavar="PATH", help="tests to run in its place")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args(words)
    known = {promise.name: promise for promise in PROMISES}
    if asked.name not in known:
        parser.error(str(unknown_name("promise", asked.name, known)))
    if (asked.file is None) == (asked.tests is None):
        parser.error("either FILE or --tests is needed")
    figures = tested(asked.tests) if asked.tests else read(asked.file)
    record = Measured(
        name=asked.name,
        command=known[asked.name].command,
        made=provenance.now(),
        machine=describe_machine(),
        econet=__version__,
        git_commit=provenance.git_commit(),
        figures={name: value for name, value in figures.items() if name not in ("command", "machine")},
    )
    markdown({asked.name: record})  # raises where the figures are not those of this promise
    write_record(asked.results / f"{asked.name}.json", record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
