"""Table 2: averaging the answers of five networks lowers the error."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="ensemble",
    title="Five networks together err less than one",
    said=Said(
        text="40.7 % top-1 validation error of one network, 38.1 % of five",
        value=0.026,
        unit="of test images",
        where="table 2",
    ),
    scale=MINI,
    arms=(Arm("base"),),
    measure="test_error",
    second_measure="ensemble_error",
    notes="The pairs are each seed's own error and that of the ensemble of all of them, so the interval covers the "
    "luck of a single network, not that of the ensemble.",
)
