"""The schemas of `econet prove`: what stands at the head of a proof, and what a replay found."""

from typing import Literal

from econet.images.preprocess import Preprocess
from econet.runs.artifact_records import Precision
from econet.runs.record import SCHEMA, Record

Stage = Literal["file", "decoder", "resize", "crop", "input", "runtime", "classes", "answers"]


class ProvenFile(Record, frozen=True, kw_only=True):
    """One file of an artifact; formats of several files have one of these each."""

    name: str
    bytes: int
    sha256: str


class ProofPhoto(Record, frozen=True, kw_only=True):
    """One photo; a decoder may differ from its pixels by `tolerance` gray levels on average, 0 for exact formats."""

    name: str
    tolerance: float


class WeightDigest(Record, frozen=True, kw_only=True):
    """One constant of an ONNX graph, in the order of the file; the first 16 digits of its SHA-256."""

    name: str
    shape: tuple[int, ...]
    sha256: str


class GraphDigests(Record, frozen=True, kw_only=True):
    """The parts of an ONNX file: its nodes without what they compute with, and its constants one by one."""

    nodes: str
    weights: tuple[WeightDigest, ...]


class ProofHead(Record, frozen=True, kw_only=True):
    """The entry `proof` of `<artifact>.proof.npz`; the other entries are arrays (docs/proof.md)."""

    schema: int = SCHEMA
    made_by: str
    runtime: str
    files: tuple[ProvenFile, ...]
    graph: GraphDigests | None
    name: str
    precision: Precision
    classes: tuple[str, ...]
    preprocess: Preprocess
    photos: tuple[ProofPhoto, ...]


class Check(Record, frozen=True, kw_only=True):
    """One stage that was compared: of how many photos (0 for the file), and the largest difference found.

    Differences are mean gray levels of a photo for pixels, and logits for the runtime and the answers.
    """

    stage: Stage
    passed: bool
    photos: int
    largest_difference: float | None


class Finding(Record, frozen=True, kw_only=True):
    """What differs: the stage, a word for the cause, one sentence, what to do, and the photos that show it."""

    stage: Stage
    cause: str
    what: str
    remedy: str
    photos: tuple[str, ...] = ()


class Replay(Record, frozen=True, kw_only=True):
    """`econet prove --json`: whether everything that was seen is as the proof says, and the causes where it is not.

    `subject` is the artifact itself, or the file with another program's answers; `runtime` ran the artifact here.
    """

    schema: int = SCHEMA
    artifact: str
    proof: str
    subject: str
    runtime: str
    passed: bool
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
