"""Which layers a step cost most in: each changed alone, on validation images."""

from econet.compression.cut_costs import cut_costs
from econet.compression.fake_quant import FakeQuantNetwork
from econet.compression.layer_names import layer_names
from econet.compression.sensitivity import Score, int8_cost, whole_costs
from econet.data.dataset import Dataset
from econet.jobs.narrowing import PROOF_IMAGES, changed, training_sample
from econet.models.cuts import Cut
from econet.runs.folder import Run
from econet.runs.ledger_records import LayerCost
from econet.runs.sensitivity_records import Cost
from econet.training.weights import trained_network


def int8_layers(
    network: FakeQuantNetwork, origin: Run, score: Score, *, trained_on: bool = False
) -> tuple[LayerCost, ...]:
    """What 8 bits cost in each layer alone, the dearest first; names are those of the float run `origin`.

    `trained_on` where the weights were trained since.
    """
    unchanged, _ = whole_costs(network, score)
    names = layer_names(network.graph, network.constants(), trained_network(origin), trained_on=trained_on)
    costs = [
        (name, cost)
        for name, layer in zip(names, network.graph.weighted, strict=True)
        if (cost := int8_cost(network, layer, score)) is not None
    ]
    return _dearest_first(costs, unchanged)


def pruned_layers(run: Run, parent: Run, dataset: Dataset, score: Score) -> tuple[LayerCost, ...]:
    """What the cut of a pruned run cost in each place alone, before it was trained on, the dearest first.

    `dataset` is as the pruned network sees it.
    """
    record = run.pruning
    network = changed(trained_network(parent), record, run.config.data.preprocess)
    images, _ = training_sample(dataset, PROOF_IMAGES, run.config.seed)
    costs = cut_costs(network.eval(), Cut(keep=record.keep, groups=record.groups), images, score)
    return _dearest_first(costs, score(network))


def _dearest_first(costs: list[tuple[str, Cost]], unchanged: Cost) -> tuple[LayerCost, ...]:
    found = [
        LayerCost(
            layer=name,
            accuracy_lost=unchanged.accuracy - cost.accuracy,
            cross_entropy_rise=cost.cross_entropy - unchanged.cross_entropy,
        )
        for name, cost in costs
    ]
    return tuple(sorted(found, key=lambda each: each.cross_entropy_rise, reverse=True))
