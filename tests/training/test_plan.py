"""The length of a run is fixed once, when it begins."""

import pytest
from msgspec.structs import replace

from econet.errors import UserError
from econet.runs.records import Plan, TeacherConfig
from econet.training.chance import check_step
from econet.training.loop import still_improving
from econet.training.plan import planned


def test_epochs_are_whole_batches_and_say_what_is_left_over(usual):
    plan = planned(replace(usual, epochs=3, batch_size=100), 1050, 50, None)
    assert plan == Plan(epochs=3, steps_per_epoch=10, steps=30, dropped_images=50)


def test_fewer_images_than_a_batch_make_one_step_an_epoch(usual):
    plan = planned(replace(usual, epochs=2, batch_size=40), 40, 5, None)
    assert (plan.steps_per_epoch, plan.steps) == (1, 2)


def test_a_time_budget_plans_to_end_inside_it(usual):
    training = replace(usual, epochs=None, time_s=60.0, batch_size=100)
    plan = planned(training, 10_000, 1_000, 5_000.0)
    seconds = (plan.steps * 100 + plan.steps / plan.steps_per_epoch * 0.3 * 1_000) / 5_000
    assert 50 < seconds <= 60
    assert plan.epochs == -(-plan.steps // 100)
    assert planned(replace(training, time_s=120.0), 10_000, 1_000, 5_000.0).steps == pytest.approx(2 * plan.steps, 0.01)


def test_one_second_is_refused_and_the_shortest_time_is_told(usual):
    training = replace(usual, epochs=None, time_s=1.0, batch_size=128)
    with pytest.raises(UserError) as caught:
        planned(training, 54_000, 6_000, 5_000.0)
    assert caught.value.what == "--time 1s is too short"
    assert "54000 training images takes about 12 s" in caught.value.why
    shortest = float(caught.value.remedy.split("s or more")[0].removeprefix("--time "))
    assert planned(replace(training, time_s=shortest), 54_000, 6_000, 5_000.0).epochs >= 1


@pytest.mark.parametrize(
    ("epochs", "per_epoch", "batch_size", "step"),
    [
        (10, 400, 128, 800),  # a fifth, at the end of an epoch
        (5, 30, 16, 30),
        (6, 25, 100, 30),  # a fifth lies 5 steps, 500 images, into the second epoch
        (6, 25, 16, 38),  # there only 80 images were seen: 13 steps make 208
        (2, 20, 16, None),  # a fifth is 8 steps: still warming up
    ],
)
def test_chance_is_judged_after_a_fifth_of_the_steps_when_enough_images_were_seen(epochs, per_epoch, batch_size, step):
    plan = Plan(epochs=epochs, steps_per_epoch=per_epoch, steps=epochs * per_epoch, dropped_images=0)
    assert check_step(plan, batch_size) == step


def test_a_run_still_improves_when_its_last_tenth_beats_the_one_before_by_a_standard_error():
    # One standard error at 0.9 of 900 images is 0.01.
    assert still_improving([0.5] * 18 + [0.87, 0.87, 0.9, 0.9], 900)
    assert not still_improving([0.5] * 18 + [0.895, 0.895, 0.9, 0.9], 900)
    assert still_improving([0.9], 900)  # nothing to compare with


def test_a_time_budget_leaves_time_for_a_teacher_that_answers_about_a_few_views(usual):
    taught = TeacherConfig(run="a", weights_sha256="0", temperature=3.0, weight=0.7, views=4)
    training = replace(usual, epochs=None, time_s=100.0, batch_size=100, teacher=taught)
    steps = planned(training, 10_000, 0, 5_000.0, asking_s=5.0).steps  # 2 s an epoch, 5 s a view
    assert steps == int((100 * 0.94 - 4 * 5) / 2 * 100)
    # So short that every epoch still brings a view of its own.
    assert planned(replace(training, time_s=20.0), 10_000, 0, 5_000.0, asking_s=5.0).steps == int(18.8 / 7 * 100)
    with pytest.raises(UserError, match="too short"):
        planned(replace(training, time_s=6.0), 10_000, 0, 5_000.0, asking_s=5.0)


def test_a_part_of_a_pass_is_planned_only_where_that_will_do(usual):
    training = replace(usual, epochs=None, time_s=100.0, batch_size=100)
    with pytest.raises(UserError, match="one pass over the 50000 training images"):
        planned(training, 50_000, 5_000, 100.0)
    plan = planned(training, 50_000, 5_000, 100.0, whole_pass=False)
    # 94 s are used; 5,000 images at 0.3 of a hundredth of a second take 15 of them, a step takes one.
    assert (plan.steps, plan.epochs, plan.steps_per_epoch) == (79, 1, 500)
    with pytest.raises(UserError, match="20 steps take"):
        planned(replace(training, time_s=30.0), 50_000, 5_000, 100.0, whole_pass=False)
    longer = replace(training, time_s=1000.0)
    assert planned(longer, 50_000, 5_000, 100.0, whole_pass=False) == planned(longer, 50_000, 5_000, 100.0)
