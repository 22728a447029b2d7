"""EcoNet beside the rivals on CIFAR-10: the same data, loop, optimizer and time of one core for every network.

    python benchmarks/rivals_table.py --time 15m --workers 2 --record

Begin while the machine is quiet: first each network's pace is measured on one core, and with it fixed how many steps
fit the time. Then each tries as many learning rates on validation, trains with its best one, is exported (fp32, and
static int8) and evaluated on the test images once; at the end all files are timed, interleaved. The same words once
more go on wherever it was stopped; with nothing left to train they time the files again. More seeds of some networks:

    python benchmarks/rivals_table.py --time 15m --workers 2 --record --only econet resnet8 --seeds 3

`make tables` then writes docs/rivals.md from what was recorded.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec

from econet.errors import UserError
from econet.jobs.duration import parse_duration
from econet.jobs.rival_networks import NETWORKS, RaceOptions, race
from econet.report import rivals_page
from econet.runs.choices import Augment, OptimizerName
from econet.training.interruption import Interrupted
from econet.training.progress import Silent

MEND, SIGNALLED = 2, 128


class Lines(Silent):
    """Notes go to standard error, so that the table alone is on standard output."""

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = RaceOptions()
    parser.add_argument("--data", default=usual.data)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--time", default="15m", help="of one free core, for each network")
    parser.add_argument("--rates", type=int, default=usual.rates, help="learning rates that each network tries")
    parser.add_argument("--optimizer", choices=get_args(OptimizerName), default=usual.optimizer)
    parser.add_argument("--augment", choices=get_args(Augment), default=usual.augment)
    parser.add_argument("--teacher", type=Path, metavar="RUN", help="one that teaches every network [none]")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, help="that take part; fixed when the race begins")
    parser.add_argument("--only", nargs="+", default=(), help="those to train now, of them")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="trainings at once, each on one thread")
    parser.add_argument("--out", type=Path, default=Path("runs") / "rivals")
    parser.add_argument("--record", action="store_true", help="keep the results among the published ones")
    parser.add_argument("--json", action="store_true", help="the records on stdout instead of the table")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    asked = arguments(words)
    try:
        options = RaceOptions(
            data=asked.data,
            networks=tuple(asked.networks),
            time_s=parse_duration(asked.time),
            rates=asked.rates,
            optimizer=asked.optimizer,
            augment=asked.augment,
            teacher=asked.teacher,
            data_dir=asked.data_dir,
        )
        results = race(
            asked.out,
            options,
            Lines(),
            only=asked.only,
            seeds=asked.seeds,
            workers=asked.workers,
            record=asked.record,
        )
    except UserError as error:
        print(error, file=sys.stderr)
        return MEND
    except (Interrupted, KeyboardInterrupt) as stopped:
        return SIGNALLED + (stopped.number if isinstance(stopped, Interrupted) else signal.SIGINT)
    print(json.dumps(msgspec.to_builtins(results), indent=2) if asked.json else rivals_page.markdown(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
