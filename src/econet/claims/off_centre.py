"""Section 6.1, figure 4: what stands off the centre is recognised too. Here: because crops at random showed it so."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="off_centre",
    title="Objects off the centre are recognised by a network that saw random crops",
    said=Said(
        text="even objects off the centre are recognised, such as the mite at the top left of a picture",
        where="section 6.1, figure 4",
    ),
    scale=MINI,
    arms=(Arm("no_crops", settings={"augment": "none"}), Arm("base")),
    measure="off_centre_loss",
    notes="By how much the error on views cut from the four corners, on average, exceeds that on the centre. The arm "
    "without crops saw the centres alone, and no mirrored pictures.",
)
