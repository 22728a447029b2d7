import pytest

from econet.report.words import verdict_sentence


def test_yes_says_so_with_both_accuracies_the_interval_and_what_was_allowed(tmp_path, comparison_in):
    comparison = comparison_in(tmp_path, n10=40, n01=38, both_wrong=120, images=8000)
    assert verdict_sentence(comparison) == (
        "Yes: the small network is as good. 98.0 % against 98.0 %; on new pictures like these the two files "
        "differ by between -0.2 and +0.2 points, and you allowed -1.0."
    )


def test_no_names_the_margin_at_which_it_would_be_yes(tmp_path, comparison_in):
    said = verdict_sentence(comparison_in(tmp_path, n10=200, n01=40, images=2000))
    assert said.startswith("No: the small network is worse. 84.0 % against 92.0 %; on new pictures")
    assert "between -9.5 and -6.6 points, and you allowed -1.0." in said
    assert "At a margin of 9.6 points the answer would be yes." in said
    assert "would decide it" not in said


def test_undecided_tells_the_margin_the_pictures_and_the_training_that_would_decide(tmp_path, comparison_in):
    said = verdict_sentence(comparison_in(tmp_path, n10=10, n01=10, both_wrong=40, images=372))
    assert said.startswith("Undecided: 372 test pictures cannot tell. 86.6 % against 86.6 %;")
    assert "between -2.5 and +2.5 points, and you allowed -1.0." in said
    assert "At a margin of 2.6 points the answer would be yes." in said
    assert "If the two go on as they did here, about 2,200 test pictures would decide it." in said
    assert "The small network had stopped improving: a wider one (--width)" in said


def test_a_small_loss_that_was_allowed_is_called_good_enough_not_as_good(tmp_path, comparison_in):
    comparison = comparison_in(tmp_path, n10=90, n01=40, both_wrong=20, images=8000)
    assert verdict_sentence(comparison).startswith("Yes: the small network is good enough.")


def test_a_sure_gain_is_called_better(tmp_path, comparison_in):
    comparison = comparison_in(tmp_path, n10=40, n01=90, both_wrong=20, images=8000)
    assert verdict_sentence(comparison).startswith("Yes: the small network is better.")


def test_a_margin_of_nothing_is_said_as_no_loss(tmp_path, comparison_in):
    said = verdict_sentence(comparison_in(tmp_path, n10=40, n01=38, images=1000, margin=0.0))
    assert said.startswith("Undecided:")
    assert "and you allowed no loss." in said


@pytest.mark.parametrize(("n10", "margin"), [(66, 0.01), (67, 0.01), (68, 0.01), (69, 0.01), (70, 0.01)])
def test_rounding_never_contradicts_the_verdict(tmp_path, comparison_in, n10, margin):
    comparison = comparison_in(tmp_path, n10=n10, n01=20, both_wrong=20, images=6000, margin=margin)
    low = float(verdict_sentence(comparison).split("between ")[1].split(" and ")[0])
    assert (low > -100 * margin) == (comparison.verdict == "yes")


def test_several_seeds_that_differ_are_counted(tmp_path, comparison_in, changed):
    comparison = comparison_in(tmp_path, repeats=3)
    repeats = [
        type(repeat)(folder=repeat.folder, seed=repeat.seed, difference=repeat.difference, verdict=answer)
        for repeat, answer in zip(comparison.repeats, ("yes", "yes", "undecided"), strict=True)
    ]
    mixed = changed(tmp_path, comparison, repeats=tuple(repeats), verdict="undecided")
    assert verdict_sentence(mixed).startswith("Undecided: of 3 seeds 2 yes, 1 undecided.")


def test_a_candidate_with_the_larger_file_is_not_called_small(tmp_path, comparison_in, changed):
    comparison = comparison_in(tmp_path, n10=200, n01=40, images=2000)
    ratios = type(comparison.ratios)(
        macs=1.5, parameters=2.0, bytes=1.4, latency=1.1, latency_range=(1.0, 1.2), cpu=1.1
    )
    assert verdict_sentence(changed(tmp_path, comparison, ratios=ratios)).startswith("No: the candidate is worse.")
