"""Section 4.2: without dropout the network overfits substantially."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="dropout_error",
    title="Dropout lowers the error",
    said=Said(
        text="without dropout the network overfits substantially",
        where="section 4.2",
    ),
    scale=MINI,
    arms=(Arm("no_dropout", switches={"dropout": False}), Arm("base")),
    notes="Scaled down, the network hardly overfits even without dropout (see the gap under dropout_overfit), so that "
    "there is little to win, and what dropout takes from a narrow network's capacity is lost.",
)
