"""New work, suggested in section 6.1, not run there: binary codes of the last hidden layer against those of pixels."""

from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="binary_codes",
    title="Codes of 256 bits retrieve better from the last hidden layer than from pixels",
    said=Said(
        text="an auto-encoder that compresses the last hidden layer to short binary codes should retrieve much better "
        "than auto-encoders of raw pixels, which find pictures with similar edges whatever they show",
        where="section 6.1, suggested there and not run",
    ),
    scale=MINI,
    arms=(Arm("base"),),
    measure="pixel_codes_256",
    second_measure="feature_codes_256",
    better="higher",
    beyond_paper=True,
    notes="New work. Share of the six nearest training images by Hamming distance that are of the test image's class, "
    "first 2,000 test images; images that tie for the last places share them. By Euclidean distance instead of codes: "
    "the claim `neighbours`. The auto-encoder has one linear layer on each side of the code.",
)
