"""New work, suggested in section 6.1 and not run there: what a code loses of the distance that it stands for."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="binary_codes_cost",
    title="A code of 256 bits retrieves worse than the distance it stands for",
    said=Said(
        text="the Euclidean distance of two vectors of 4,096 numbers is inefficient to compute; short binary codes "
        "would make it efficient",
        where="section 6.1, suggested there and not run",
    ),
    scale=MINI,
    arms=(Arm("base"),),
    measure="feature_purity",
    second_measure="feature_codes_256",
    better="lower",
    beyond_paper=True,
    notes="New work. The effect is the price of the code: share of the six nearest training images of the test image's "
    "class by Hamming distance of codes, less that by Euclidean distance in the last hidden layer.",
)
