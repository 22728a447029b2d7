"""New work, suggested in section 6.1 and not run there: the same with codes short enough to be addresses."""

from econet.claims.binary_codes import CLAIM as LONG
from econet.claims.claim import Arm, Claim
from econet.claims.scales import MINI
from econet.runs.claim_records import Said

CLAIM = Claim(
    name="binary_codes_short",
    title="Codes of 28 bits retrieve better from the last hidden layer than from pixels",
    said=Said(text=LONG.said.text, where=LONG.said.where),
    scale=MINI,
    arms=(Arm("base"),),
    measure="pixel_codes_28",
    second_measure="feature_codes_28",
    better="higher",
    beyond_paper=True,
    notes="New work. As `binary_codes`, with 28 bits.",
)
