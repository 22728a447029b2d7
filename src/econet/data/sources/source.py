"""What every source hands over: pictures and labels as found, before EcoNet splits and resizes them."""

from dataclasses import dataclass

from econet.data.dataset import FileLine, Images


@dataclass(frozen=True, slots=True)
class Source:
    """Pictures by split; `validation` and `test` are None where the source brings none of its own."""

    classes: tuple[str, ...]
    train: Images
    validation: Images | None
    test: Images | None
    listing: tuple[FileLine, ...] = ()
    warnings: tuple[str, ...] = ()
