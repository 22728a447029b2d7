"""The trained network in a search's space: scaled evenly or pruned where it matters least, its weights kept."""

from types import SimpleNamespace

import pytest
import torch
from msgspec.structs import replace

from econet.jobs import shrink_trial
from econet.jobs.run_data import data_config
from econet.jobs.shrink_task import Task, cutter_for, space_for
from econet.models import cost
from econet.models.architecture import from_data, to_data
from econet.models.space import FOUND, Named, chosen, smallest
from econet.runs.record import digest
from econet.runs.shrink_records import FileCost
from econet.training.weights import trained_network

PRUNED = {"family": "subject", "widths": "pruned", "kept_macs_percent": 40}
EVEN = {"family": "subject", "widths": "even", "kept_percent": 50}


@pytest.fixture
def task(trained, clothes_data, tmp_path) -> Task:
    subject = trained("subject", model="alexnet_small", epochs=1, lr=0.01)
    config = SimpleNamespace(data=data_config(clothes_data), seed=0, budgets=SimpleNamespace(max_macs=None))
    made = Task(tmp_path, config, SimpleNamespace(sides=(28,)), subject, None)
    made.give(clothes_data)
    return made


def test_pruning_is_a_choice_of_the_search_and_keeps_the_weights_that_matter(task):
    whole = trained_network(task.subject)
    widths = chosen(task.space, Named(PRUNED))
    assert cost.macs(widths) / cost.macs(whole.architecture) == pytest.approx(0.4, abs=0.05)
    even = chosen(task.space, Named(EVEN))
    shares = [
        [
            now.channels / before.channels
            for before, now in zip(whole.architecture.layers, each.layers, strict=True)
            if hasattr(before, "channels")
        ][:-1]
        for each in (even, widths)
    ]
    assert set(shares[0]) == {0.5}
    assert len(set(shares[1])) > 1
    network = task.network(widths)
    assert network.architecture == widths
    first = whole.layers[0].conv
    kept = [row for row in first.weight if any(torch.equal(row, other) for other in network.layers[0].conv.weight)]
    assert len(kept) == network.layers[0].conv.out_channels
    assert task.space.pruning.least_percent <= 20
    assert min(map(cost.macs, smallest(task.space))) <= cost.macs(
        task.space.pruning.to(task.space.pruning.least_percent)
    )


def test_what_an_earlier_search_found_is_a_subject_like_any_other(task):
    """Its architecture bears the name of the search's own networks, which begin without weights."""
    config = task.subject.config
    layers = replace(from_data(config.architecture), name=FOUND)
    named = to_data(layers)
    task.subject.write_config(replace(config, architecture=named, architecture_sha256=digest(named)))
    cutter = cutter_for(task.subject)
    space = space_for(config.data.preprocess, 10, (28,), cutter)
    assert space.subject.name != FOUND
    widths = chosen(space, Named(EVEN))
    assert widths.name != FOUND
    whole = trained_network(task.subject)
    assert all(
        any(torch.equal(row, old) for old in whole.layers[0].conv.weight)
        for row in cutter.fitted(widths).layers[0].conv.weight
    )


def test_a_trial_is_weighed_and_trained_as_the_same_network_made_once(task, monkeypatch):
    made, trained_on = [], []
    make = Task.network
    monkeypatch.setattr(Task, "network", lambda task, widths: made.append(make(task, widths)) or made[-1])

    def weighed(network, *_):
        for value in network.parameters():
            value.data.zero_()  # what is weighed is not what is trained
        return FileCost(precision="int8", bytes=1, macs=1, parameters=1, latency_ms=None, energy_mj=None), {}

    monkeypatch.setattr(Task, "scales", SimpleNamespace(weighed_untrained=weighed))
    monkeypatch.setattr(shrink_trial, "_trained", lambda *given: trained_on.append(given[4]) or given[3])
    monkeypatch.setattr(shrink_trial, "_trained_before", lambda *_: None)
    monkeypatch.setattr(shrink_trial, "TrialChooser", lambda _: Named(PRUNED))
    trial = SimpleNamespace(number=0, params=PRUNED, set_user_attr=lambda *_: None)
    point = shrink_trial.try_out(task, None, trial, lambda: None)
    assert point.point == PRUNED
    assert trained_on == made
    assert len(made) == 1
    assert all(value.abs().sum() > 0 for name, value in made[0].named_parameters() if name.endswith("weight"))
