"""SGD with Nesterov momentum, AdamW, Muon and the rule of 2012, and which weights each of them takes."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Muon, Optimizer

from econet.models.network import own_decays
from econet.runs.records import TrainingConfig
from econet.training.sgd_2012 import Sgd2012

MOMENTUM = 0.9
MUON_MOMENTUM = 0.95
# Gradients longer than this are shortened to it (Pascanu et al. 2013, section 3.2). Without it a baseline that has no
# batch norm diverges on a few hundred photos at the rate that is best on Fashion-MNIST.
LARGEST_GRADIENT_NORM = 2.0


class Optimizers:
    """One or two torch optimizers that step together; every rate follows one factor of its peak.

    Muon takes two-dimensional weights only (Jordan 2024, "Muon"), so a convolution is handed to it as a view
    [out, rest] that shares its memory; depthwise and first convolutions, the classifier, norms and biases go
    to AdamW beside it, at the same rate.
    """

    def __init__(self, network: nn.Module, config: TrainingConfig) -> None:
        self._views: list[tuple[Tensor, nn.Parameter]] = []
        decayed, plain = _by_decay(network)
        self._trained = [*decayed, *plain]
        self._clips = config.optimizer != "sgd-2012"
        if config.optimizer == "muon":
            matrices = [parameter for parameter in decayed if _is_hidden(parameter, network)]
            taken = {id(parameter) for parameter in matrices}
            self._views = [(parameter, _view(parameter)) for parameter in matrices]
            rest = [parameter for parameter in self._trained if id(parameter) not in taken]
            self.parts: list[Optimizer] = [AdamW(rest, lr=config.lr, weight_decay=0.0, fused=True)]
            if self._views:  # a network of one or two layers has no hidden matrix
                views = [view for _, view in self._views]
                muon = Muon(views, lr=config.lr, momentum=MUON_MOMENTUM, weight_decay=config.weight_decay)
                self.parts.insert(0, muon)
        else:
            groups = _groups(network, decayed, plain, config)
            if config.optimizer == "sgd":
                self.parts = [SGD(groups, lr=config.lr, momentum=MOMENTUM, nesterov=True, fused=True)]
            elif config.optimizer == "sgd-2012":
                self.parts = [Sgd2012(groups, lr=config.lr, momentum=MOMENTUM)]
            else:
                self.parts = [AdamW(groups, lr=config.lr, fused=True)]
        self._peaks = [[float(group["lr"]) for group in part.param_groups] for part in self.parts]

    def step(self, factor: float) -> bool:
        """One update at `factor` of every peak rate by the gradients, which are dropped afterwards.

        They are clipped first, but for the rule of 2012; a group of biases with a rate of its own keeps it. Returns
        False, with nothing updated, where a gradient is not finite.
        """
        if not self._shortened().isfinite():
            for part in self.parts:
                part.zero_grad(set_to_none=True)
            for original, _ in self._views:
                original.grad = None
            return False
        for original, view in self._views:
            view.grad = None if original.grad is None else _as_matrix(original.grad)
        for part, peaks in zip(self.parts, self._peaks, strict=True):
            for group, peak in zip(part.param_groups, peaks, strict=True):
                group["lr"] = peak if group.get("constant") else peak * factor
            if isinstance(part, SGD):
                _begin_momentum(part)
            part.step()
            part.zero_grad(set_to_none=True)
        for original, view in self._views:
            original.grad = None
            view.grad = None
        return True

    def _shortened(self) -> Tensor:
        """The norm of all gradients together, which are no longer than allowed afterwards."""
        if self._clips:
            return nn.utils.clip_grad_norm_(self._trained, LARGEST_GRADIENT_NORM)
        return nn.utils.get_total_norm([weight.grad for weight in self._trained if weight.grad is not None])

    def state(self) -> dict[str, Tensor]:
        """Every state tensor under the name `<part>.<parameter>.<what>`, laid out contiguously."""
        return {
            f"{number}.{index}.{what}": value.detach().contiguous()
            for number, part in enumerate(self.parts)
            for index, parameter in enumerate(_parameters(part))
            for what, value in part.state.get(parameter, {}).items()
            if isinstance(value, Tensor)
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave, in the memory layout of the parameter it belongs to."""
        for number, part in enumerate(self.parts):
            part.state.clear()
            parameters = list(_parameters(part))
            for name, value in state.items():
                owner, index, what = name.split(".", 2)
                if int(owner) != number:
                    continue
                parameter = parameters[int(index)]
                same_shape = value.shape == parameter.shape
                part.state[parameter][what] = torch.empty_like(parameter).copy_(value) if same_shape else value.clone()


def _begin_momentum(part: SGD) -> None:
    """Let weights that learn for the first time among others that have learned before begin with a momentum of zero.

    That is what the rule gives them; but the fused one takes a group whose weights all have a momentum, or none has.
    """
    for group in part.param_groups:
        learning = [weight for weight in group["params"] if weight.grad is not None]
        fresh = [weight for weight in learning if part.state.get(weight, {}).get("momentum_buffer") is None]
        if len(fresh) < len(learning):
            for weight in fresh:
                part.state[weight]["momentum_buffer"] = torch.zeros_like(weight)


def _groups(
    network: nn.Module, decayed: list[nn.Parameter], plain: list[nn.Parameter], config: TrainingConfig
) -> list[dict[str, Any]]:
    """A group for each decay, the training's first, and those that do not decay last, at the biases' rate."""
    own = own_decays(network)
    by_decay: dict[float, list[nn.Parameter]] = {config.weight_decay: []}
    for parameter in decayed:
        by_decay.setdefault(own.get(parameter, config.weight_decay), []).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": parameters, "weight_decay": decay} for decay, parameters in by_decay.items() if parameters
    ]
    last: dict[str, Any] = {"params": plain, "weight_decay": 0.0}
    if config.bias_lr is not None:
        last |= {"lr": config.bias_lr, "constant": True}
    return [*groups, last]


def _by_decay(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Dense and convolution weights, which decay, and the rest, which does not: norms, biases, depthwise."""
    depthwise = {
        id(module.weight)
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
    }
    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    trained = [parameter for _, parameter in named]
    decayed = [
        parameter
        for name, parameter in named
        if parameter.ndim >= 2 and not name.endswith("bias") and id(parameter) not in depthwise
    ]
    taken = {id(parameter) for parameter in decayed}
    return decayed, [parameter for parameter in trained if id(parameter) not in taken]


def _is_hidden(parameter: nn.Parameter, network: nn.Module) -> bool:
    """Whether a weight is a matrix and neither the first layer's nor the last's: those stay with AdamW."""
    weights = [weight for weight in network.parameters() if weight.ndim >= 2]
    return parameter.ndim in (2, 4) and parameter is not weights[0] and parameter is not weights[-1]


def _as_matrix(weight: Tensor) -> Tensor:
    """[out, in, h, w] as a view [out, h * w * in] (channels-last memory) or [out, in * h * w]."""
    if weight.ndim == 2:
        return weight
    if weight.is_contiguous(memory_format=torch.channels_last):
        return weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1)
    return weight.reshape(weight.shape[0], -1)


def _view(parameter: nn.Parameter) -> nn.Parameter:
    return nn.Parameter(_as_matrix(parameter.data))


def _parameters(part: Optimizer) -> Iterable[nn.Parameter]:
    for group in part.param_groups:
        yield from group["params"]
