"""The verdict: which stage of a program differs from the proof, and which cause explains what was seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from econet.deployment.proof.logits_verdict import logits_checked, logits_explained, logits_seen
from econet.deployment.proof.pipeline import Answers, Pipeline
from econet.deployment.proof.proof_file import Proof
from econet.deployment.proof.suspects import Suspect, likeliest, photo_distance, suspects
from econet.deployment.proof.views import View, pixel_views
from econet.runs.proof_records import Check, Finding

_WORDS = {
    "decoder": "the decoder gives other pixels",
    "resize": "the resize gives other pixels from the same picture",
    "crop": "the crop cuts another part out of the same picture",
    "input": "other pixels reach the network",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was compared, and what differs."""

    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]


def judge(proof: Proof, answers: Answers, base: Pipeline, runtime: str, *, file_is_right: bool = True) -> Verdict:
    """Compare `answers` with `proof` stage by stage and name the cause of what differs.

    `base` is the artifact in a pipeline that is right; `runtime` is what gave the answers. Where the file itself is
    another one (`file_is_right` False) its logits are compared, but not explained: the file explains them.
    """
    checks: list[Check] = []
    findings: list[Finding] = []
    among = suspects(base)
    for view in pixel_views(proof, answers):
        check, wrong = _checked(view)
        checks.append(check)
        # What reaches the network follows from the stages before, where those were seen.
        if wrong and not (view.stage == "input" and findings):
            findings.append(_explained(view, wrong, among, proof))
    for seen in logits_seen(proof, answers):
        check, wrong = logits_checked(proof, seen)
        checks.append(check)
        if wrong and file_is_right and not (seen.stage == "answers" and findings):
            findings.append(logits_explained(proof, seen, wrong, among, runtime))
    return Verdict(tuple(checks), tuple(findings))


def _checked(view: View) -> tuple[Check, list[int]]:
    """The check of one stage of pixels, and the photos that differ."""
    distances = [photo_distance(found, expected) for found, expected in zip(view.found, view.expected, strict=True)]
    wrong = [number for number, distance in enumerate(distances) if distance > view.allowed[number]]
    check = Check(stage=view.stage, passed=not wrong, photos=len(distances), largest_difference=max(distances))
    return check, wrong


def _explained(view: View, wrong: Sequence[int], among: Sequence[Suspect], proof: Proof) -> Finding:
    photos = tuple(proof.names[number] for number in wrong)
    unread = [proof.names[number] for number in wrong if view.found[number] is None]
    if unread:
        return Finding(
            stage="decoder",
            cause="format",
            what=f"the decoder cannot read {', '.join(unread)}",
            remedy="use a decoder with that format, or never give the network such pictures",
            photos=photos,
        )
    blamed = [each for each in among if each.stage in view.blamed]
    suspect = likeliest(view.found, view.expected, blamed, view.of)
    if suspect is None:
        return Finding(
            stage=view.stage,
            cause=view.stage,
            what=f"{_WORDS[view.stage]}, in a way that fits no known cause",
            remedy=f"compare the pixels of {photos[0]} with those in the proof (docs/proof.md)",
            photos=photos,
        )
    return Finding(stage=suspect.stage, cause=suspect.cause, what=suspect.what, remedy=suspect.remedy, photos=photos)
