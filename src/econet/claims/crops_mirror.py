"""Section 4.1: without crops and mirrors the network overfits substantially."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="crops_mirror",
    title="Random crops and mirrors lower the error",
    said=Said(
        text="without crops and mirrors the network overfits substantially",
        where="section 4.1",
    ),
    scale=MINI,
    arms=(Arm("no_crops", settings={"augment": "none"}), Arm("base")),
    notes="Scaled down, the network with dropout hardly overfits (see the gap under dropout_overfit), so that crops "
    "and mirrors have little to cure.",
)
