"""Claims hang together: every measure exists, and what is shared is the same."""

import pytest

from econet.claims.catalog import CLAIMS, claim_named
from econet.claims.measures import MEASURES
from econet.errors import UserError
from econet.jobs.arm_run import ENSEMBLE
from econet.models import catalog


def trained_claims():
    return [claim for claim in CLAIMS.values() if claim.arms]


def test_every_measure_that_a_claim_names_exists():
    names = {name for claim in trained_claims() for name in (claim.measure, claim.second_measure) if name}
    assert names - {ENSEMBLE} <= MEASURES.keys()
    assert len(CLAIMS) >= 20


def test_arms_of_one_name_and_scale_are_the_same_training():
    seen = {}
    for claim in trained_claims():
        for arm in claim.arms:
            assert seen.setdefault((claim.scale.name, arm.name), arm) == arm


def test_a_claim_compares_two_arms_or_two_measures_of_one():
    for claim in trained_claims():
        assert (len(claim.arms) == 1) == (claim.second_measure is not None)
        assert claim.scale is not None


@pytest.mark.parametrize("claim", trained_claims(), ids=lambda claim: claim.name)
def test_every_arm_is_a_network_that_can_be_described(claim):
    for arm in claim.arms:
        settings = {**claim.scale.settings, **arm.settings}
        switches = {**arm.switches, **({"width": settings["width"]} if "width" in settings else {})}
        side = claim.scale.image_size
        data = catalog.architecture(arm.model or claim.scale.model, (3, side, side), 10, **switches)
        assert data["layers"][-1]["channels"] == 10


def test_a_rate_is_never_chosen_by_the_test_images():
    of_training = {"epochs_to_target", "final_loss", "early_loss", "training_error"}
    searching = [claim for claim in trained_claims() if any(arm.rates for arm in claim.arms)]
    assert searching
    assert {claim.measure for claim in searching} <= of_training


def test_a_misspelt_claim_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="overlap_pool"):
        claim_named("overlap_pol")
