"""Section 4.1: averaging the answers on ten views of a picture lowers the error."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="ten_views",
    title="Ten views lower the error against the centre alone",
    said=Said(
        text="39.0 % top-1 error without and 37.5 % with the average over ten views",
        value=0.015,
        unit="of test images",
        where="section 6, note 5",
    ),
    scale=MINI,
    arms=(Arm("base"),),
    measure="test_error",
    second_measure="ten_view_error",
)
