"""How a run came about: the runs it was made from, what each of them did, and the file that stands for it."""

from pathlib import Path

from econet.errors import UserError
from econet.jobs.networks import is_quantized
from econet.runs.folder import Run, open_run
from econet.runs.ledger_records import Kind


def lineage(run: Run) -> list[Run]:
    """The run and all it was made from by pruning and quantization, the first one first; finished ones all.

    Raises UserError where one is gone or not finished, or where a record leads round in a circle.
    """
    found = [run]
    while (parent := found[0].config.parent) is not None:
        before = open_run(found[0].folder / parent)
        if any(before.folder.resolve() == each.folder.resolve() for each in found):
            raise UserError(
                f"{run.folder} is its own parent", f"{found[0].folder} names {parent}", "restore its config.json"
            )
        found.insert(0, before)
    for each in found:
        each.finished  # noqa: B018 - raises where training did not come to its end
    return found


def own_teacher(run: Run) -> Run | None:
    """The one teacher of a run, where it has one that still lies there; a run taught by itself has none of its own."""
    recorded = run.config.training.teacher
    if recorded is None or recorded.others:
        return None
    teacher = Run(Path(run.folder / recorded.run))
    same = teacher.folder.resolve() == run.folder.resolve()
    return None if same or not (teacher.exists and teacher.is_finished) else teacher


def kind_of(run: Run) -> Kind:
    """What a run did to the one before it."""
    if is_quantized(run):
        return "quantized"
    if run.config.parent is not None:
        return "pruned"
    return "distilled" if run.config.training.teacher is not None else "trained"


def named(run: Run) -> str:
    """A step in a few words: what was made, and how."""
    model = run.config.model
    kind = kind_of(run)
    if kind == "quantized":
        return f"{model} trained on with 8-bit rounding"
    if kind == "pruned":
        pruning = run.pruning
        gone = 1 - pruning.after.macs / pruning.before.macs
        return f"{model} pruned by {gone:.0%} of its MACs"
    return f"{model} taught by its teacher" if kind == "distilled" else f"{model} trained"
