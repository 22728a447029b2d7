"""The figures of each program of ours, in a line for the page of promises; which one reads what, promises.py tells."""

from collections.abc import Callable, Mapping
from typing import Any

from econet.report.numbers import percent

Figures = Mapping[str, Any]


def disturbed(what: str) -> Callable[[Figures], str]:
    """A part of benchmarks/faults.py: how many tries, how they ended, and how many went wrong."""

    def told(figures: Figures) -> str:
        outcomes = {word: int(number) for word, number in figures["outcomes"].items()}
        ended = ", ".join(f"{number:,} {word}" for word, number in sorted(outcomes.items()))
        wrong = len(figures["wrong"])
        counted = sum(outcomes.get(word, 0) for word in figures["counted"]) + wrong
        missing = "" if counted >= figures["wanted"] else f"; {counted:,} of {figures['wanted']:,} so far"
        operations = f" ({figures['operations']} operations on the disk a run)" if "operations" in figures else ""
        return f"{sum(outcomes.values()) + wrong:,} {what}{operations}: {ended}; **{wrong} went wrong**{missing}"

    return told


def tested(figures: Figures) -> str:
    """The outcome of the tests themselves."""
    text = f"{figures['passed']:,} of {figures['tests']:,} tests passed"
    return text + (f", {figures['skipped']} not run there" if figures["skipped"] else "")


def odd(figures: Figures) -> str:
    """Odd and damaged pictures, as tests/odd_pictures counts them."""
    odd, damaged = figures["odd"], figures["mutants"]
    both = (odd, damaged)
    return (
        f"{odd['files']:,} odd files of {figures['kinds']} kinds and {damaged['files']:,} damaged ones: "
        f"{sum(each['readable'] for each in both):,} read, {sum(each['set_aside'] for each in both):,} set aside; "
        f"**{sum(len(each['unnamed']) for each in both)} not named**, "
        f"**{sum(len(each['disagreeing']) for each in both)} seen otherwise by training than by the shipped file**; "
        f"slowest {max(each['slowest_s'] for each in both):.2f} s, {figures['peak_memory_mb']:,} MB at most, "
        f"folder {'unchanged' if all(each['folder_unchanged'] for each in both) else '**changed**'}"
    )


def strangers(figures: Figures) -> str:
    """Damaged files of one kind, as tests/strangers counts them."""
    ended = ", ".join(f"{number:,} {word}" for word, number in sorted(figures["outcomes"].items()))
    died, wrong, outside = (len(figures[name]) for name in ("died", "wrong", "outside"))
    return (
        f"{figures['files']:,} files: {ended}; "
        f"**{died} deaths, {wrong} tracebacks, {outside} acts outside the folder**; "
        f"slowest {figures['slowest_s']:.2f} s, {figures['peak_memory_mb']:,} MB at most"
    )


def _share(found: Figures) -> str:
    if found["value"] is None:
        return "none to count"
    low, high = found["interval"]
    return f"{percent(found['value'])} ({percent(low)} to {percent(high)}, n = {found['n']:,})"


def near(figures: Figures) -> str:
    """Near duplicates against a published list."""
    found = figures["all"]
    return (
        f"of those listed as near {_share(found['recall_near'])} are found, "
        f"as similar {_share(found['recall_similar'])}; "
        f"of those found {_share(found['listed_of_flagged'])} are listed, a lower bound of the precision; "
        f"{figures['images']:,} images, {figures['searched']}, in {figures['seconds']:.0f} s"
    )


def planted(figures: Figures) -> str:
    """Copies that were planted, by their kind."""
    return "; ".join(f"{name}: {_share(found)}" for name, found in figures["planted"].items())


def labels(figures: Figures) -> str:
    """Wrong labels that were planted: precision and recall, by chance and by cleanlab too."""

    def both(found: Figures) -> str:
        return f"precision {_share(found['precision'])}, recall {_share(found['recall'])}"

    chance, peer = figures["chance"], figures["cleanlab"]
    text = f"{figures['planted']:,} wrong labels in {figures['images']:,} images: {both(figures['econet'])}"
    text += f"; by chance {percent(chance['precision'])} and {percent(chance['recall'])}"
    return text + ("" if peer is None else f"; cleanlab {both(peer)}")


def explained(figures: Figures) -> str:
    """Every way of explaining against random masks and random weights."""

    def way(name: str, found: Figures) -> str:
        low, high = found["deletion_gain"]["interval"]
        better = "better than" if found["better_than_random_masks"] else "**not better than**"
        source = "comes" if found["comes_from_the_weights"] else "**does not come**"
        gain = f"deletion {low:+.3f} to {high:+.3f}"
        return f"{name}: {better} random masks ({gain}), {source} from the weights, {found['seconds']:.2f} s an image"

    ways = "; ".join(way(name, found) for name, found in figures["ways"].items())
    return f"n = {figures['images']} test images; {ways}"


def confident(figures: Figures) -> str:
    """Coverage, calibration and foreign pictures of every file."""

    def coverage(found: Figures) -> str:
        low, high = found["interval"]
        outside = "" if found["inside"] else ", **outside**"
        return f"{found['stated']:.2f} holds {percent(found['covered'])} ({percent(low)} to {percent(high)}{outside})"

    def file(run: str, found: Figures) -> str:
        parts = [f"`{run}/{found['file']}`, n = {found['test_images']:,}", *map(coverage, found["coverage"])]
        parts.append(f"calibration error {found['ece']['before']:.4f} before, {found['ece']['after']:.4f} after")
        parts += [f"AUROC {each['auroc']:.3f} against {each['source']}" for each in found["foreign"]]
        return ", ".join(parts)

    return "; ".join(file(run["run"], found) for run in figures["runs"] for found in run["files"])


def few(figures: Figures) -> str:
    """Accuracy of every way to begin, by photos of each class."""

    def way(name: str, found: Figures) -> str:
        ends = [percent(end) for end in found["accuracy"]["interval"] or ()]
        between = f" ({' to '.join(ends)})" if ends else ""
        says = "".join(f", to {other}: {gain['says']}" for other, gain in found["more_than"].items())
        return f"{name} {percent(found['accuracy']['mean'])}{between}{says}"

    sizes = figures["photos_a_class"].items()
    told = "; ".join(f"{n} a class: " + "; ".join(way(*each) for each in ways.items()) for n, ways in sizes)
    return f"{figures['draws']} draws; {told}"
