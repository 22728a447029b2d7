"""`econet.check`: a data set looked over from Python."""

from datetime import datetime
from pathlib import Path
from typing import Any

from econet.jobs.check import CheckOptions
from econet.jobs.check import check as check_in
from econet.jobs.duration import parse_duration
from econet.jobs.options import DataOptions, TrainOptions
from econet.runs.check_records import Check
from econet.training.progress import Progress, Silent

USUAL_TIME = "5m"


def check(
    data: str,
    *,
    time: str | None = None,
    epochs: int | None = None,
    quick: bool = False,
    out: Path | str | None = None,
    seed: int = 0,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Check:
    """Find duplicates, leaks, likely wrong labels and missing classes; a page and findings.csv lie in `out`.

    `time` reads as in the terminal and is that of all networks that doubt labels; `quick` leaves labels out. Other
    options as in DataOptions. `void` of the record says why a comparison would prove nothing. Raises UserError where
    something can be put right.
    """
    folder = Path(out) if out is not None else Path("runs") / f"{Path(data).name}-check-{datetime.now():%Y%m%d-%H%M%S}"
    time_s = None if epochs is not None and time is None else parse_duration(time or USUAL_TIME, "time")
    training = None if quick else TrainOptions(epochs=epochs, time_s=time_s, seed=seed)
    asked = CheckOptions(DataOptions(data, seed=seed, **options), training)
    return check_in(folder, asked, progress or Silent(), resume=resume)
