"""How many files each class has in each split of a photo folder, counted before anything is opened or refused."""

from pathlib import Path

from econet.data.sources.folder import ORDER, SPLIT_FOLDERS
from econet.data.sources.photo_files import files_below, printable, subfolders

Census = dict[str, dict[str, int]]


def census(folder: Path) -> Census:
    """Files by split, then by class; every split knows every class. Empty where the folder has no split folders.

    A link, FIFO or hidden file is none. Raises UserError where a folder cannot be read.
    """
    root = folder.resolve()
    places = {SPLIT_FOLDERS[place.name.lower()]: place for place in subfolders(root) if _is_split(place)}
    found = {split: _classes(places[split], root) for split in ORDER if split in places}
    classes = sorted({name for group in found.values() for name in group})
    return {split: {name: group.get(name, 0) for name in classes} for split, group in found.items()}


def _is_split(place: Path) -> bool:
    return place.name.lower() in SPLIT_FOLDERS


def _classes(place: Path, root: Path) -> dict[str, int]:
    return {
        printable(folder.name): sum(found.fault is None for found in files_below(folder, root))
        for folder in subfolders(place)
    }
