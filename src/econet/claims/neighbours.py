"""Section 6.1, figure 4: distance in the last hidden layer finds pictures of the same kind, distance of pixels not."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="neighbours",
    title="Neighbours in the last hidden layer are of the same class",
    said=Said(
        text="the six nearest training images in the last hidden layer show the same kind of thing; those "
        "by pixels not",
        where="section 6.1, figure 4",
    ),
    scale=MINI,
    arms=(Arm("base"),),
    measure="pixel_purity",
    second_measure="feature_purity",
    better="higher",
    notes="Share of the six nearest training images that are of the test image's class, first 2,000 test images.",
)
