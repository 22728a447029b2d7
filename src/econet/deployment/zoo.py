"""The zoo: artifacts shipped with the package, each a folder with its file and its card. No torch."""

from pathlib import Path

from econet.errors import UserError, unknown_name
from econet.runs.record import read_record
from econet.runs.zoo_records import Card

ZOO = Path(__file__).resolve().parents[1] / "zoo"
ARTIFACT = "model.int8.onnx"
CARD = "card.json"


def zoo_names(folder: Path = ZOO) -> list[str]:
    """The names of all shipped artifacts, sorted."""
    return sorted(card.parent.name for card in folder.glob(f"*/{CARD}"))


def find(name: str, folder: Path = ZOO) -> Path:
    """The file of the shipped artifact `name`. Raises UserError with the nearest names where there is none."""
    names = zoo_names(folder)
    if name not in names:
        if not names:
            raise UserError(f"no zoo artifact {name!r}", "this installation ships none", "name a file or a run")
        raise unknown_name("zoo artifact", name, names)
    return folder / name / ARTIFACT


def card(name: str, folder: Path = ZOO) -> Card:
    """The card of the shipped artifact `name`. Raises UserError where there is none or it is damaged."""
    return read_record(find(name, folder).with_name(CARD), Card)


def cards(folder: Path = ZOO) -> list[Card]:
    """All cards, sorted by name."""
    return [card(name, folder) for name in zoo_names(folder)]
