"""`econet reproduce`: the claims of 2012 as experiments."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.folders import again
from econet.cli.terminal import Terminal, table
from econet.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.runs.claim_records import ClaimRecord, Outcome


@options.command(example="econet reproduce overlap_pool ten_views")
@click.argument("claims", metavar="[CLAIM]...", nargs=-1)
@options.together(
    click.option("--data", metavar="FOLDER", help="ImageNet: run the paper's own experiment at full size."),
    click.option("--seeds", type=int, default=5, show_default=True, metavar="N", help="Paired seeds of each arm."),
    click.option("--workers", type=int, metavar="N", help="Trainings at once [default: one a core]."),
    click.option("--record", is_flag=True, help="Keep the results among the published ones, whatever they say."),
    click.option("--all", "every", is_flag=True, help="Every claim that can be run here."),
    click.option("--arm", metavar="NAME", help="Train this arm alone, for one seed."),
    click.option("--lr", type=float, metavar="F", help="With --arm: another learning rate than the arm's own."),
    options.data_dir_option,
    options.seed_option,
)
def reproduce(
    terminal: Terminal,
    *,
    claims: tuple[str, ...],
    data: str | None,
    seeds: int,
    workers: int | None,
    record: bool,
    every: bool,
    arm: str | None,
    lr: float | None,
    data_dir: Path | None,
    seed: int,
) -> int:
    """Run claims of the 2012 paper as experiments.

    Each CLAIM is trained with and without what it is about, over paired seeds, and gets a label: reproduced, not
    reproduced or inconclusive. Without CLAIM lists them. What is done is not done again.
    """
    terminal.resume = again(terminal.words)
    if arm is not None:
        outcome = _one_arm(terminal, claims, arm, seed, lr, data, data_dir)
        terminal.resume = None
        terminal.result(outcome, human=lambda: [f"{arm}, seed {seed}: {outcome.stopped_by}"])
        return DONE

    from econet.claims.catalog import CLAIMS
    from econet.jobs.reproduce import reproduce as job

    names = claims or tuple(name for name, claim in CLAIMS.items() if every and claim.arms)
    if not names:
        return _list(terminal)
    records = job(names, terminal.progress(), seeds=seeds, workers=workers, data=data, data_dir=data_dir, record=record)
    terminal.resume = None
    terminal.result({"claims": records}, human=lambda: _shown(records))
    return DONE


def _one_arm(
    terminal: Terminal,
    claims: Sequence[str],
    arm: str,
    seed: int,
    lr: float | None,
    data: str | None,
    data_dir: Path | None,
) -> "Outcome":
    from econet.claims.catalog import claim_named
    from econet.jobs.arm_run import ArmRun, arm_of, run_arm
    from econet.jobs.reproduce import at_size

    if len(claims) != 1:
        raise UserError(
            "--arm needs one claim", f"{len(claims)} were named", "econet reproduce overlap_pool --arm base"
        )
    claim = at_size(claim_named(claims[0]), data)
    wanted_arm = arm_of(claim, arm)
    if claim.scale is None:
        raise UserError(f"{claim.name} has no arms", "it is quoted only", "another claim")
    return run_arm(ArmRun(claim.scale, wanted_arm, seed, lr, data_dir), terminal.progress())


def _list(terminal: Terminal) -> int:
    from econet.claims.catalog import CLAIMS

    rows = [
        [claim.name, claim.title, claim.said.where, str(len(claim.arms)) if claim.arms else "quoted"]
        for claim in CLAIMS.values()
    ]
    terminal.result(
        {"claims": [{"name": row[0], "title": row[1], "where": row[2]} for row in rows]},
        human=lambda: [table(["Claim", "Says", "Where", "Arms"], rows, left=3)],
    )
    return DONE


def _shown(records: "Sequence[ClaimRecord]") -> "list[RenderableType]":
    rows: list[list[str]] = []
    for each in records:
        effect = "" if each.effect is None else _figure(each.effect, each.unit)
        span = "" if each.interval is None else f"{_figure(each.interval[0], each.unit)} to "
        span += "" if each.interval is None else _figure(each.interval[1], each.unit)
        label = f"{each.label}, scaled down" if each.scaled_down else each.label
        rows.append([each.claim, label, effect, span])
    return [table(["Claim", "Label", "Effect", "95 % interval"], rows, left=2)]


def _figure(value: float, unit: str) -> str:
    if unit == "times":
        return f"{value:.2f} times"
    return f"{100 * value:+.2f} points" if unit == "points" else f"{value:+.3f} {unit}"
