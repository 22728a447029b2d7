"""Section 4.1: noise along the principal colours lowers top-1 error by over one point."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="pca_colour",
    title="Colour noise lowers the error",
    said=Said(
        text="noise along the principal colours lowers top-1 error by over one point",
        value=0.01,
        unit="of test images",
        where="section 4.1",
    ),
    scale=MINI,
    arms=(Arm("base"), Arm("colour", settings={"colour_noise": {"reading": "std"}})),
    notes="The noise is read as the author's code has it: a tenth of the standard deviation along each "
    "axis, by the data's own colours.",
)
