"""Section 5: a weight decay of 0.0005 is no mere regulariser: it lowers the training error."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI_SGD
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="weight_decay_train",
    title="Weight decay lowers even the training error",
    said=Said(
        text="a weight decay of 0.0005 is no mere regulariser: it lowers the training error",
        where="section 5",
    ),
    scale=MINI_SGD,
    arms=(Arm("no_decay", settings={"weight_decay": 0.0}), Arm("base")),
    measure="training_error",
)
