"""The answer in words, for the terminal and the page alike: plain text, no markup."""

from econet.report import numbers
from econet.runs.comparison_records import Comparison, Repeat, Side
from econet.statistics.intervals import images_needed


def verdict_sentence(comparison: Comparison) -> str:
    """The whole answer: yes, no or undecided, the two accuracies, the interval, and what would decide it."""
    parts = [headline(comparison), detail(comparison), *advice(comparison)]
    return " ".join(parts)


def find_side(comparison: Comparison, role: str, precision: str) -> Side | None:
    """The side of that role and precision, or None."""
    for side in comparison.sides:
        if (side.role, side.precision) == (role, precision):
            return side
    return None


def proof_sides(comparison: Comparison) -> tuple[Side, Side]:
    """The two files that the verdict is about: baseline fp32 and candidate int8.

    A side given as a FILE of the other precision stands in. Raises ValueError where a role has no side.
    """
    found: list[Side] = []
    for role, first, second in (("baseline", "fp32", "int8"), ("candidate", "int8", "fp32")):
        side = find_side(comparison, role, first) or find_side(comparison, role, second)
        if side is None:
            raise ValueError(f"a comparison without a {role} has no verdict")
        found.append(side)
    return found[0], found[1]


def headline(comparison: Comparison) -> str:
    """The shortest true answer."""
    small = small_network(comparison)
    if comparison.repeats and comparison.folds is None:
        return _headline_of_repeats(comparison, small)
    low, high = comparison.difference.interval
    if comparison.verdict == "yes":
        quality = "better" if low > 0 else "good enough" if high < 0 else "as good"
        return f"Yes: the {small} is {quality}."
    if comparison.verdict == "no":
        return f"No: the {small} is worse."
    return f"Undecided: {numbers.whole(comparison.difference.images)} {pictures(comparison)} cannot tell."


def detail(comparison: Comparison) -> str:
    """Both accuracies, the interval of their difference and the margin."""
    difference = comparison.difference
    baseline, candidate = proof_sides(comparison)
    accuracies = " against ".join(accuracy(side) for side in (candidate, baseline))
    digits = numbers.difference_digits(difference.interval, comparison.margin)
    low, high = (numbers.points(end, digits) for end in difference.interval)
    allowed = "no loss" if comparison.margin == 0 else numbers.points(-comparison.margin, digits)
    which = f" (seed {comparison.seed})" if comparison.repeats and comparison.folds is None else ""
    return (
        f"{accuracies}{which}; on new pictures like these the two files differ by between "
        f"{low} and {high} points, and you allowed {allowed}."
    )


def advice(comparison: Comparison) -> list[str]:
    """What would change a no or decide an undecided: margin, pictures, training. Empty for a yes."""
    if comparison.verdict == "yes":
        return []
    digits = numbers.difference_digits(comparison.difference.interval, comparison.margin)
    sentences = [_margin_advice(comparison, digits)]
    if comparison.verdict == "undecided" and (not comparison.repeats or comparison.folds is not None):
        sentences.append(_picture_advice(comparison))
    training = _training_advice(comparison)
    return [*sentences, training] if training else sentences


def repeat_name(repeat: Repeat) -> str:
    """What one of several comparisons is called."""
    return f"seed {repeat.seed}" if repeat.fold is None else f"fold {repeat.fold + 1}"


def accuracy(side: Side) -> str:
    """A side's accuracy, with the digits that its interval supports."""
    return numbers.percent(side.evaluation.accuracy, numbers.digits_for(side.evaluation.accuracy_interval))


def pictures(comparison: Comparison) -> str:
    """What the pictures of the proof are called."""
    if comparison.folds is not None:
        return "pictures"
    return "test pictures" if comparison.proof == "test" else "validation pictures"


def small_network(comparison: Comparison) -> str:
    """ "small network" where its file is smaller, else "candidate"."""
    return "small network" if comparison.ratios.bytes < 1 else "candidate"


def _headline_of_repeats(comparison: Comparison, small: str) -> str:
    total = len(comparison.repeats)
    if comparison.verdict == "yes":
        return f"Yes: the {small} is as good, with each of {total} seeds."
    if comparison.verdict == "no":
        return f"No: the {small} is worse, with each of {total} seeds."
    answers = [repeat.verdict for repeat in comparison.repeats]
    said = [f"{answers.count(word)} {word}" for word in ("yes", "no", "undecided") if word in answers]
    return f"Undecided: of {total} seeds {', '.join(said)}."


def _margin_advice(comparison: Comparison, digits: int) -> str:
    margin = numbers.margin_points(comparison.margin_for_yes, digits)
    return f"At a margin of {margin} points the answer would be yes."


def _picture_advice(comparison: Comparison) -> str:
    difference = comparison.difference
    needed = images_needed(
        difference.candidate_minus_baseline,
        (difference.n10 + difference.n01) / difference.images,
        comparison.margin,
    )
    if needed is None or needed > 100_000_000:
        return "No practical number of pictures would decide it: the difference lies on the margin itself."
    return f"If the two go on as they did here, about {numbers.roughly(needed)} {pictures(comparison)} would decide it."


def _training_advice(comparison: Comparison) -> str | None:
    _, candidate = proof_sides(comparison)
    small = small_network(comparison)
    if candidate.training is None:
        return None
    if candidate.training.still_improving:
        longer = numbers.seconds(2 * comparison.seconds.training)
        return (
            f"The {small} was still improving when its training ended: twice the time ({longer} of training "
            "in all) may change the answer."
        )
    return f"The {small} had stopped improving: a wider one (--width) promises more than a longer training."
