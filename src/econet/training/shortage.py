"""Memory that runs out while training: what a batch takes, and which one would have fitted, found by trying."""

import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from econet.errors import UserError, is_out_of_memory
from econet.images.preprocess import Preprocess
from econet.runs.records import TrainingConfig
from econet.training import machine, parallel
from econet.training.allocator import give_back
from econet.training.hint import Hint
from econet.training.step import Forward, learn


@contextmanager
def shortage_told(
    network: nn.Module,
    teacher: Forward | None,
    training: TrainingConfig,
    preprocess: Preprocess,
    precision: str,
    device: torch.device,
    *,
    hint: Hint | None = None,
    go_on: str,
) -> Generator[None]:
    """Turn memory running out inside into a UserError that says what a batch takes and which one fits.

    Batches of half the size, of half that, ... are tried with black pictures, until one fits. `go_on` says how the run
    goes on. Whatever else is raised passes; where several processes share the training, so does the shortage.
    """

    def attempt(count: int) -> None:
        images = torch.zeros(count, preprocess.channels, *preprocess.image_size, device=device)
        labels = torch.zeros(count, dtype=torch.int64, device=device)
        learn(network, teacher, images, labels, training, precision, hint=hint)

    try:
        yield
    except Exception as error:
        if not _may_be_shortage(error) or parallel.processes() > 1:
            raise
        failed = error
        traceback.clear_frames(error.__traceback__)  # they hold on to all that the failed step had taken
    else:
        return
    machine.placed(network, device).train()
    count, count_bytes = training.batch_size // 2, None
    while count and (count_bytes := _bytes_kept(network, attempt, count)) is None:
        count //= 2
    if count_bytes is None and not is_out_of_memory(failed):
        raise failed
    said = str(failed).split("\n")[0] or "the system gave no more"
    what = f"out of memory with --batch-size {training.batch_size}"
    if count_bytes is None:
        raise UserError(what, f"not even one image fits: {said}", "a smaller --image-size or --width")
    whole = count_bytes / count * training.batch_size / 1e6
    raise UserError(
        what,
        f"a batch keeps about {whole:,.0f} MB for its gradients, besides weights and images: {said}",
        f"--batch-size {count}, which fits, with --out NEW; or close other programs, then {go_on}",
    )


def _bytes_kept(network: nn.Module, attempt: Callable[[int], None], count: int) -> int | None:
    """What learning from `count` images keeps for its gradients besides the weights; None where that does not fit."""
    network.zero_grad(set_to_none=True)
    give_back()
    seen, total = {weight.untyped_storage().data_ptr() for weight in network.parameters()}, 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal total
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            total += storage.nbytes()
        return tensor

    def unchanged(tensor: Tensor) -> Tensor:
        return tensor

    try:
        with saved_tensors_hooks(keep, unchanged):
            attempt(count)
    except Exception as error:
        if not _may_be_shortage(error):
            raise
        return None
    return total


def _may_be_shortage(error: Exception) -> bool:
    """oneDNN, torch's convolutions on CPUs, says only that it failed: whether for memory a smaller batch will show."""
    return is_out_of_memory(error) or (isinstance(error, RuntimeError) and "could not create a prim" in str(error))
