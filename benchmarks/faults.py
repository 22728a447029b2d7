"""What happens to runs that are killed, failed, lied to and poisoned: counted, part by part.

    python benchmarks/faults.py sweep kills starts injections            # all that is not in the records yet
    python benchmarks/faults.py shrink --count 5                         # up to five kills in all
    python benchmarks/faults.py faults --every 7                         # every seventh operation

sweep       a whole short run (train, export, evaluate, prove) is killed at each of its operations on the disk
faults      the same, where a disk fails (full, forbidden, broken), cuts, turns a bit, loses or delays each operation
kills       200 such runs are killed at random times
shrink      searches are killed 50 times at random times; every trial that was finished must be kept as it was
starts      50 times a second process begins in a folder where one is at work: refused, naming the holder
injections  200 times a loss, a gradient or a weight becomes NaN or infinite: nothing that is not finite is ever saved

Every disturbed run is taken up again, and its files are held byte by byte against those of a quiet run. Each part
writes a record of its own, benchmarks/results/faults-PART.json, after every run, and goes on from it; one of another
version of the code is begun anew. Exit code 1 where anything went wrong. The runs are those of tests/disturbed/.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, islice, product
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from disturbed.disk import FAILING, LYING
from disturbed.nursery import VALIDATION, Nursery
from disturbed.poison import injected
from disturbed.searches import Searches
from disturbed.sweep import Sweep
from econet.data.load import load_data
from econet.measurement.machine import describe_machine
from econet.runs import provenance
from econet.runs.measured_records import Measured
from econet.runs.record import read_record, write_record
from econet.version import __version__
from idx_files import write_clothes

RESULTS = ROOT / "benchmarks" / "results"
# How many tries of each part where `--count` names no other number; the others try all there are.
USUAL = {"kills": 200, "shrink": 50, "starts": 50, "injections": 200}
SHOWN = 2000

# A name and what is tried under it; it gives a word for what became of it, or raises AssertionError.
Try = tuple[str, Callable[[], str]]


@dataclass
class Part:
    """What one part tries: how many in all, those outcomes that count towards it, and what is done at the end."""

    tries: Iterator[Try]
    wanted: int
    counted: tuple[str, ...]
    figures: dict[str, Any] = field(default_factory=dict)
    finish: Callable[[], None] | None = None


def part_of(name: str, every: int, wanted: int, folder: Path, stack: ExitStack) -> Part:
    """A part, ready to try; what it needs is ended by `stack`."""
    data = folder / "data"
    write_clothes(data / "fashion-mnist")
    if name == "injections":
        pictures = load_data("fashion-mnist", data_dir=data, validation=VALIDATION)
        tries = ((str(number), lambda number=number: injected(folder, pictures, number)) for number in count())
        return Part(tries, wanted, ("nan", "inf"))
    if name == "shrink":
        searches = Searches(data, folder)
        tries = ((str(number), lambda number=number: searches.at_random(number)) for number in count())
        return Part(tries, wanted, ("killed",), finish=searches.finish)
    sweep = Sweep(stack.enter_context(Nursery(data)), folder)
    figures = {"operations": sweep.operations}
    if name in ("kills", "starts"):
        act = sweep.at_random if name == "kills" else sweep.second_start
        tries = ((str(number), lambda number=number: act(number)) for number in count())
        return Part(tries, wanted, ("killed", "refused"), figures)
    ways = [("kill", moment) for moment in ("before", "halfway")]
    if name == "faults":
        ways = [(fault, "before") for fault in (*FAILING, *LYING, "delay")]
    all_ = list(product(ways, range(1, sweep.operations + 1, every)))
    tries = ((f"{way[0]} {way[1]} {k}", lambda way=way, k=k: sweep.at(k, *way)) for way, k in all_)
    return Part(tries, len(all_), ("killed", "refused", "done"), figures | {"every": every})


def measure(name: str, asked: argparse.Namespace) -> Measured:
    """Try what the record of this part has not got yet, and keep it up to date."""
    path = asked.results / f"faults-{name}.json"
    record = begun(name, path, asked)
    figures = record.figures
    wanted = asked.count or USUAL.get(name) or figures.get("wanted")
    if wanted is not None and tried(figures) >= wanted:
        return record
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="econet-faults-")))
        part = part_of(name, asked.every, wanted or 0, folder, stack)
        figures |= part.figures | {"wanted": part.wanted, "counted": part.counted}
        for label, act in islice(part.tries, sum(figures["outcomes"].values()) + len(figures["wrong"]), None):
            if tried(figures) >= part.wanted:
                break
            began = time.monotonic()
            outcome = attempted(act, label, figures["wrong"])
            if outcome is not None:
                figures["outcomes"][outcome] = figures["outcomes"].get(outcome, 0) + 1
            figures["seconds"] = round(figures["seconds"] + time.monotonic() - began, 1)
            write_record(path, record)
            print(f"{name} {label}: {outcome or figures['wrong'][label].splitlines()[0]}", file=sys.stderr, flush=True)
        if part.finish is not None:
            attempted(part.finish, "at the end", figures["wrong"])
        write_record(path, record)
    return record


def attempted(act: Callable[[], Any], label: str, wrong: dict[str, str]) -> Any:
    """What an attempt gives; None where it went wrong, which is then kept under its label."""
    try:
        return act()
    except (AssertionError, OSError) as error:
        wrong[label] = (str(error) or type(error).__name__)[-SHOWN:]
        return None


def tried(figures: dict[str, Any]) -> int:
    """How many tries count towards what is wanted; those that went wrong do."""
    counted = sum(figures["outcomes"].get(outcome, 0) for outcome in figures.get("counted", ()))
    return counted + len(figures["wrong"])


def begun(name: str, path: Path, asked: argparse.Namespace) -> Measured:
    """The record of an earlier call by the same code and on the same operations; else a new one."""
    fresh = Measured(
        name=f"faults-{name}",
        command=f"python benchmarks/faults.py {name}{f' --every {asked.every}' if asked.every > 1 else ''}",
        made=provenance.now(),
        machine=describe_machine(),
        econet=__version__,
        git_commit=provenance.git_commit(),
        figures={"outcomes": {}, "wrong": {}, "seconds": 0.0},
    )
    if not path.exists():
        return fresh
    known = read_record(path, Measured)
    same = (known.git_commit, known.command, known.machine) == (fresh.git_commit, fresh.command, fresh.machine)
    if not same:
        print(f"{path} is of another version, machine or selection: begun anew", file=sys.stderr)
    return msgspec.structs.replace(known, made=fresh.made) if same else fresh


def main(words: Sequence[str] | None = None) -> int:
    """Measure the parts asked for, and print their records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=("sweep", "faults", *USUAL))
    parser.add_argument("--count", type=int, help=f"tries of each part in all [default: {USUAL}]")
    parser.add_argument("--every", type=int, default=1, help="sweep, faults: every so manieth operation")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args(words)
    records = [measure(name, asked) for name in asked.parts]
    print(msgspec.json.format(msgspec.json.encode(records), indent=2).decode())
    return 1 if any(record.figures["wrong"] for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
