"""What a step learns from: augmented pictures, their labels, and who answers for the teacher."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from econet.data.augmentation import Augmenter, pictures
from econet.data.augmentation.augmenter import Draws
from econet.data.augmentation.mixing import MixedLabels, Mixing
from econet.data.dataset import Dataset
from econet.runs.records import TrainingConfig
from econet.statistics.streams import stream_seed
from econet.training.kept_logits import KeptLogits
from econet.training.machine import autocast
from econet.training.parallel import Sharing
from econet.training.progress import Progress
from econet.training.step import Forward
from econet.training.teachers import Teachers
from econet.training.turning import dealt_turns, turned


@dataclass(frozen=True, slots=True)
class Lesson:
    """One step's pictures [N, C, H, W] and labels [N]; `teacher` answers about exactly these pictures."""

    images: Tensor
    labels: Tensor
    mixed: MixedLabels | None
    teacher: Forward | None


class Lessons:
    """The training pictures of `dataset`, varied and mixed as `config` says: all by chance from `seed` alone.

    Without `kept` every step varies its pictures anew, seeded by its number. With it the pictures of an epoch are one
    of a few views, each a function of seed, picture and view, and the teacher is asked once about each of them.
    Pictures without labels are turned after they were varied, and the label is the turn.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainingConfig,
        seed: int,
        sharing: Sharing,
        teacher: Teachers | None,
        kept: KeptLogits | None = None,
    ) -> None:
        self._seed, self._sharing, self._batch_size = seed, sharing, config.batch_size
        self._teacher, self._kept = teacher, kept
        self._view, self._draws = 0, Draws()
        self._unlabelled = dataset.unlabelled
        self._mixing = Mixing(config.mixup, config.cutmix, seed)
        self._train = Augmenter(
            pictures(dataset.train),
            dataset.preprocess,
            config.augment,
            sharing.device,
            colour=config.colour_noise,
            chunk=config.crop_chunk,
            statistics=dataset.statistics,
            beyond=dataset.beyond,
        )
        self.labels = torch.from_numpy(dataset.train.labels).to(sharing.device)

    def ask(self, epoch: int, precision: str, progress: Progress) -> Iterator[None]:
        """Choose the view of `epoch` and have the teacher answer what is missing of it; yields after every block.

        Nothing is to be asked where answers are not kept.
        """
        if self._kept is None or self._teacher is None:
            return
        self._view = epoch % self._kept.views
        chance = torch.Generator().manual_seed(stream_seed(self._seed, "view", self._view))
        self._draws = self._train.drawn(len(self.labels), chance)
        missing = self._kept.missing(self._view)
        if missing:
            progress.note(f"asking the teacher about view {self._view + 1} of {self._kept.views}")
        self._train.expect(batch for block in missing for batch in block.split(self._batch_size))
        for block in missing:
            answers: list[Tensor] = []
            for batch in block.split(self._batch_size):
                images = self._train.made(batch, self._draws.of(batch))
                with torch.no_grad(), autocast(images.device, precision):
                    answers.append(self._teacher(images).float())
            self._kept.keep(self._view, block, torch.cat(answers))
            yield

    def expect(self, batches: Sequence[Tensor]) -> None:
        """Say which batches the next calls of `of` will bring: streams decode ahead."""
        self._train.expect(self._sharing.mine(indices) for indices in batches)

    def of(self, indices: Tensor, step: int, progress: float) -> Lesson:
        """This process's part of the lesson about the pictures of `indices`; all processes draw the same whole.

        `progress` is the share of the training that lies behind.
        """
        mine = self._sharing.mine(torch.arange(len(indices)))
        labels = self.labels[indices[mine]]
        if self._kept is not None:
            images = self._train.made(indices, self._draws.of(indices))
            answers = self._kept.of(self._view, indices).to(images.device)
            return Lesson(images, labels, None, lambda _: answers)
        chance = torch.Generator().manual_seed(stream_seed(self._seed, "augmentation", step))
        images = self._train.batch(indices, chance, progress, mine)
        if self._unlabelled:
            turns = dealt_turns(len(indices), chance)[mine]
            return Lesson(turned(images, turns), turns.to(images.device), None, self._teacher)
        mixed = None
        if self._mixing.mixes:
            images, mixed = self._mixing.mixed(images, labels, step, mine, len(indices))
        return Lesson(images, labels, mixed, self._teacher)
