"""Section 3.4: overlapping pooling lowers the error by 0.4 points."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="overlap_pool",
    title="Overlapping pooling lowers the error",
    said=Said(
        text="pooling windows of 3 every 2 pixels lower top-1 and top-5 error by 0.4 and 0.3 points "
        "against windows of 2",
        value=0.004,
        unit="of test images",
        where="section 3.4",
    ),
    scale=MINI,
    arms=(Arm("no_overlap", switches={"overlap": False}), Arm("base")),
)
