"""Section 4.2: without dropout the network overfits substantially."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="dropout_overfit",
    title="Dropout narrows the gap between test and training error",
    said=Said(
        text="without dropout the network overfits substantially",
        where="section 4.2",
    ),
    scale=MINI,
    arms=(Arm("no_dropout", switches={"dropout": False}), Arm("base")),
    measure="generalisation_gap",
)
