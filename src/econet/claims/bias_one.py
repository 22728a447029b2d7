"""Section 5: biases that start at 1 give the ReLUs positive inputs and so speed up early learning."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI_SGD
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="bias_one",
    title="Biases of one speed up the first epochs",
    said=Said(
        text="biases that start at 1 give the ReLUs positive inputs and so speed up early learning",
        where="section 5",
    ),
    scale=MINI_SGD,
    arms=(Arm("base"), Arm("bias_one", switches={"bias_one": True})),
    measure="early_loss",
    unit="nats",
    full_size=False,
)
