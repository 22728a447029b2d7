"""`econet zoo`: the artifacts that ship with EcoNet."""

from typing import TYPE_CHECKING

from econet.cli import options
from econet.cli.ending import DONE
from econet.cli.terminal import Terminal, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from econet.runs.zoo_records import Card


@options.command(example="econet zoo --json")
def zoo(terminal: Terminal) -> int:
    """List the artifacts that ship with EcoNet.

    Each can be used by its name wherever a file can.
    """
    from econet.deployment import zoo as shipped

    cards = shipped.cards()
    entries = [
        {
            "name": card.name,
            "path": str(shipped.find(card.name)),
            "accuracy": card.evaluation.accuracy,
            "interval": card.evaluation.accuracy_interval,
            "parameters": card.benchmark.parameters,
            "macs": card.benchmark.macs,
            "bytes": card.benchmark.bytes,
            "latency_ms": card.benchmark.latency_ms.p50,
            "recipe": card.recipe,
        }
        for card in cards
    ]
    terminal.result({"zoo": entries}, human=lambda: _shown(cards))
    if cards:
        terminal.note(f"next: econet predict {cards[0].name} IMAGE")
    return DONE


def _shown(cards: "list[Card]") -> "list[RenderableType]":
    from econet.report import numbers

    if not cards:
        return ["no artifacts ship with this installation"]
    rows = [
        [
            card.name,
            card.data,
            numbers.percent(card.evaluation.accuracy, numbers.digits_for(card.evaluation.accuracy_interval)),
            numbers.magnitude(card.benchmark.parameters),
            "not counted" if card.benchmark.macs is None else numbers.magnitude(card.benchmark.macs),
            numbers.file_size(card.benchmark.bytes),
            numbers.per_image(card.benchmark.latency_ms.p50),
        ]
        for card in cards
    ]
    return [table(["Name", "Data", "Accuracy", "Parameters", "MACs", "File", "Time"], rows, left=2)]
