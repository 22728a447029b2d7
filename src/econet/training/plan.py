"""How long a run will be, fixed once when it begins: from epochs, or from a time budget and a measured rate."""

from econet.errors import UserError
from econet.runs.records import Plan, TrainingConfig

# Kept back for checkpoints, start-up and a machine that slows down a little.
RESERVE = 0.06
# An image evaluated costs about this much of an image learned.
EVALUATION_SHARE = 0.3
SMALLEST_STEPS = 20


def planned(
    training: TrainingConfig,
    train_images: int,
    validation_images: int,
    images_per_s: float | None,
    asking_s: float = 0.0,
    *,
    whole_pass: bool = True,
) -> Plan:
    """The plan of a run over `train_images`; a time budget needs the measured `images_per_s`.

    `asking_s` is what a teacher takes to answer about one view of all images, where its answers are kept.
    Each epoch is whole batches; the few images left over are another set in every epoch.
    Raises UserError where the time is too short for one pass over the images; without `whole_pass`, for a few steps.
    """
    per_epoch = max(1, train_images // training.batch_size)
    dropped = train_images - per_epoch * training.batch_size
    if training.epochs is not None:
        epochs = training.epochs
        return Plan(epochs=epochs, steps_per_epoch=per_epoch, steps=epochs * per_epoch, dropped_images=dropped)
    if training.time_s is None or images_per_s is None:
        raise ValueError("a plan needs epochs, or a time and a measured rate")
    seconds_a_step = training.batch_size / images_per_s
    validating_s = EVALUATION_SHARE * validation_images / images_per_s
    usable, every_step = training.time_s * (1 - RESERVE), seconds_a_step + validating_s / per_epoch
    # As long as every epoch brings a view of its own, its asking belongs to its steps; from then on it lies behind.
    first_steps = (training.teacher.views or 0) * per_epoch if training.teacher else 0
    at_first = every_step + asking_s / per_epoch
    steps = int(min(usable, first_steps * at_first) / at_first + max(0, usable - first_steps * at_first) / every_step)
    if steps < per_epoch and not whole_pass:  # what comes once an epoch is owed whole
        steps = int((usable - validating_s - (asking_s if first_steps else 0)) / seconds_a_step)
    least = max(per_epoch, SMALLEST_STEPS) if whole_pass else SMALLEST_STEPS
    if steps < least:
        shortest = least * at_first / (1 - RESERVE)
        length = f"one pass over the {train_images} training images takes" if whole_pass else f"{least} steps take"
        raise UserError(
            f"--time {training.time_s:g}s is too short",
            f"{length} about {shortest:.0f} s on this machine",
            f"--time {max(2 * shortest, 10):.0f}s or more, or --epochs 1",
        )
    epochs = -(-steps // per_epoch)
    return Plan(epochs=epochs, steps_per_epoch=per_epoch, steps=steps, dropped_images=dropped)
