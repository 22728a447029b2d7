"""`prove`: a file's own proof, replayed where the file will live, or held against another program's answers."""

from pathlib import Path

from econet.deployment.artifact_file import check_runs, open_artifact
from econet.deployment.engines.engine import ArtifactFile
from econet.deployment.engines.onnx_runtime import OnnxEngine, OnnxFile
from econet.deployment.proof.answers_file import read_answers
from econet.deployment.proof.changed_file import damaged, file_finding
from econet.deployment.proof.digests import file_digests
from econet.deployment.proof.make import make_proof
from econet.deployment.proof.pipeline import Pipeline, Run, replayed
from econet.deployment.proof.proof_file import Proof, proof_path, read_proof, write_proof
from econet.deployment.proof.rescaled import rescaled
from econet.deployment.proof.verdict import judge
from econet.errors import UserError
from econet.files import write_whole
from econet.runs.choices import RuntimeName
from econet.runs.proof_records import Check, Finding, Replay


def prove(
    artifact: Path, *, proof: Path | None = None, runtime: RuntimeName | None = None, answers: Path | None = None
) -> Replay:
    """Replay the proof of the file `artifact`, which lies beside it where `proof` names no other.

    `runtime` runs an ONNX file in another one than ONNX Runtime. With `answers`, a .csv or .npz of another program, the
    file itself is proven first and then those. Needs no torch. Raises UserError where the proof is absent or wrong, or
    a runtime is missing.
    """
    check_runs(artifact, runtime)
    path = proof or proof_path(artifact)
    read = read_proof(path)
    found = file_digests(artifact)
    try:
        file = open_artifact(artifact)
    except UserError as error:
        if [each.sha256 for each in found] == [each.sha256 for each in read.head.files]:
            raise
        return _replay(artifact, path, artifact, "none", (_file_check(passed=False),), (damaged(error),))
    differs = file_finding(read, file, found)
    engine = open_artifact(artifact, runtime).engine()
    ran = f"{engine.name} {engine.version}"
    base = pipeline_of(file, read)
    here = judge(read, replayed(read, _with(base, engine.logits)), base, ran, file_is_right=differs is None)
    checks = (_file_check(passed=differs is None), *here.checks)
    findings = (*([] if differs is None else [differs]), *here.findings)
    if answers is None or findings:
        return _replay(artifact, path, artifact, ran, checks, findings)
    theirs = judge(read, read_answers(answers, read), base, answers.name)
    return _replay(artifact, path, answers, ran, theirs.checks, theirs.findings)


def pipeline_of(file: ArtifactFile, proof: Proof) -> Pipeline:
    """The way from a photo to the logits of `file` as EcoNet goes it, in the runtime of the file's format."""

    def otherwise(factor: float, shift: float) -> Run:
        model = rescaled(file.model, factor, shift) if isinstance(file, OnnxFile) else None
        if model is None:
            raise ValueError("the graph does not begin with a scaling")
        return OnnxEngine(model, threads=1, batch=None).logits

    known = isinstance(file, OnnxFile) and rescaled(file.model, 1.0, 0.0) is not None
    return Pipeline(proof.head.preprocess, file.engine().logits, rescaled=otherwise if known else None)


def prove_beside(artifact: Path) -> Path:
    """Write the proof of a file beside it, unless there is one of this very file; returns its path."""
    path = proof_path(artifact)
    if path.exists():
        try:
            if read_proof(path).head.files == file_digests(artifact):
                return path
        except UserError:  # damaged or older: it is made again
            pass
    write_proof(path, make_proof(artifact))
    return path


def unpack_photos(proof: Path, folder: Path) -> list[Path]:
    """Write the photos of a proof as files into `folder`, for a program that cannot read .npz; returns their paths.

    Raises UserError where the proof is wrong or a file of such a name lies there.
    """
    read = read_proof(proof)
    paths = [folder / name for name in read.names]
    taken = [path for path in paths if path.exists()]
    if taken:
        raise UserError(f"{taken[0]} exists", "photos of a proof overwrite nothing", "--photos with a new folder")
    for path, content in zip(paths, read.photos, strict=True):
        write_whole(path, content)
    return paths


def _with(base: Pipeline, run: Run) -> Pipeline:
    return Pipeline(base.preprocess, run)


def _file_check(*, passed: bool) -> Check:
    return Check(stage="file", passed=passed, photos=0, largest_difference=None)


def _replay(
    artifact: Path, proof: Path, subject: Path, runtime: str, checks: tuple[Check, ...], findings: tuple[Finding, ...]
) -> Replay:
    return Replay(
        artifact=str(artifact),
        proof=str(proof),
        subject=str(subject),
        runtime=runtime,
        passed=not findings and all(check.passed for check in checks),
        checks=checks,
        findings=findings,
    )
