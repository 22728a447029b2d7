"""What lies outside its range is refused before anything is read or written."""

import pytest

from econet.errors import UserError
from econet.jobs.options import CompareOptions, DataOptions, TrainOptions, check_compare_options, check_train_options

ABSURD = [
    ("--epochs", {"epochs": 0}),
    ("--epochs", {"epochs": -3}),
    ("--epochs", {"epochs": 10**9}),
    ("--time", {"time_s": 0.0}),
    ("--time", {"time_s": -60.0}),
    ("--time", {"time_s": 1e12}),
    ("--batch-size", {"batch_size": 0}),
    ("--batch-size", {"batch_size": 10**7}),
    ("--lr", {"lr": 0.0}),
    ("--lr", {"lr": -0.1}),
    ("--lr", {"lr": float("nan")}),
    ("--lr", {"lr": float("inf")}),
    ("--width", {"width": -1.0}),
    ("--width", {"width": 1000.0}),
    ("--weight-decay", {"weight_decay": -1e-4}),
    ("--label-smoothing", {"label_smoothing": 1.0}),
    ("--ema", {"ema": 1.0}),
    ("--patience", {"patience": 0}),
    ("--temperature", {"temperature": 0.0}),
    ("--teacher-weight", {"teacher_weight": 1.5}),
    ("--match-features", {"match_features": -1.0}),
    ("--teacher-views", {"teacher_views": 0}),
    ("--mixup", {"mixup": -0.1}),
    ("--cutmix", {"cutmix": 100.0}),
    ("--seed", {"seed": -1}),
    ("--threads", {"threads": 0}),
]


@pytest.mark.parametrize(("option", "asked"), ABSURD)
def test_a_number_out_of_range_is_named_with_its_option_and_the_range(option, asked):
    with pytest.raises(UserError, match="it lies between") as caught:
        check_train_options(TrainOptions(**asked))
    value = next(iter(asked.values()))
    assert caught.value.what == f"{option} {value:g} is out of range"


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ({"optimizer": "adam"}, "adamw"),
        ({"schedule": "cosin"}, "cosine"),
        ({"augment": "standart"}, "standard"),
        ({"distil": "kld"}, "kl"),
        ({"device": "cda"}, "cuda"),
    ],
)
def test_a_misspelt_choice_gets_the_nearest_one(asked, near):
    with pytest.raises(UserError) as caught:
        check_train_options(TrainOptions(**asked))
    assert near in caught.value.remedy


@pytest.mark.parametrize("asked", [{"epochs": 3, "time_s": 60.0}, {"deterministic": True, "time_s": 60.0}])
def test_contradictions_are_refused(asked):
    with pytest.raises(UserError, match="were both given"):
        check_train_options(TrainOptions(**asked))


@pytest.mark.parametrize(
    ("option", "asked"),
    [
        ("--margin", {"margin": 0.0}),
        ("--margin", {"margin": -0.01}),
        ("--margin", {"margin": 2.0}),
        ("--seeds", {"seeds": 0}),
        ("--width", {"width": -1.0}),
        ("--lr", {"lr": -1.0}),
    ],
)
def test_a_comparison_refuses_the_same_slips(option, asked):
    with pytest.raises(UserError, match=f"{option} .* is out of range"):
        check_compare_options(CompareOptions(DataOptions("fashion-mnist"), **asked))


def test_the_defaults_are_in_range():
    check_train_options(TrainOptions())
    check_compare_options(CompareOptions(DataOptions("fashion-mnist")))
