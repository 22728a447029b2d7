"""What a proof holds, and that a hostile one is refused in one line without taking memory."""

import io
import json
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from econet.deployment.graph_writer import INPUT
from econet.deployment.proof.photos import proof_photos
from econet.deployment.proof.proof_file import proof_path, read_proof, write_proof
from econet.deployment.session import open_session
from econet.errors import UserError
from econet.files import sha256_of
from econet.images.preprocess import Preprocess
from econet.jobs.prove import prove, prove_beside, unpack_photos


def entries_of(path):
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def rewritten(path, **changed):
    """Write the proof again with some entries' arrays (or bytes) exchanged; None leaves one out."""
    entries = entries_of(path)
    for name, value in changed.items():
        if value is None:
            del entries[f"{name}.npy"]
        elif isinstance(value, bytes):
            entries[f"{name}.npy"] = value
        else:
            stream = io.BytesIO()
            np.save(stream, value, allow_pickle=True)
            entries[f"{name}.npy"] = stream.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)


def head_of(path):
    with np.load(path, allow_pickle=False) as stored:
        return json.loads(stored["proof"].tobytes())


def as_head(head):
    return np.frombuffer(json.dumps(head).encode(), np.uint8)


def refusal(path):
    with pytest.raises(UserError) as caught:
        read_proof(path)
    assert str(path) in caught.value.what
    assert "\n" not in caught.value.why
    return caught.value.why


def test_a_proof_holds_what_plain_numpy_reads(proven):
    given = proven("colour", "int8")
    with np.load(proof_path(given.path), allow_pickle=False) as stored:
        head = json.loads(stored["proof"].tobytes())
        assert head["files"] == [
            {"name": "model.int8.onnx", "bytes": given.path.stat().st_size, "sha256": sha256_of(given.path)}
        ]
        assert (head["schema"], head["precision"], head["classes"]) == (
            1,
            "int8",
            ["coat", "dress", "hat", "boot", "bag"],
        )
        pixels = stored["pixels"][:, 4:28, 4:28]  # 24 of 32 in the middle
        session = open_session(given.path.read_bytes())
        (logits,) = session.run(None, {INPUT: np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))})
        assert np.array_equal(logits, stored["logits"][: len(pixels)])
        for number, photo in enumerate(head["photos"]):
            with Image.open(io.BytesIO(stored[f"photo_{number:02}"].tobytes())) as picture:
                sizes = {picture.size, picture.size[::-1]}
            assert stored[f"decoded_{number:02}"].shape[:2] in sizes, photo


def test_a_proof_is_small_and_the_same_each_time(proven):
    for kind in ("gray", "colour"):
        given = proven(kind, "int8")
        path = proof_path(given.path)
        assert path.stat().st_size < 100_000
        before = path.read_bytes()
        write_proof(path, given.proof)
        assert path.read_bytes() == before


def test_the_photos_include_every_awkward_kind():
    record = Preprocess(
        image_size=(24, 24), channels=3, resize="shorter-side", resize_size=(32, 32), crop="centre", offset=0, scale=1.0
    )
    modes, sizes = {}, {}
    for photo in proof_photos(record):
        with Image.open(io.BytesIO(photo.content)) as picture:
            modes[photo.name] = (picture.format, picture.mode, picture.getexif().get(0x0112))
            sizes[photo.name] = picture.size
            assert photo.exact == (picture.format != "JPEG")
    assert modes["oriented.jpg"] == ("JPEG", "RGB", 6)
    assert modes["cmyk.jpg"] == ("JPEG", "CMYK", None)
    assert modes["sixteen-bit.png"][:2] == ("PNG", "I;16")
    assert modes["alpha.png"][1] == "RGBA"
    assert {modes[name][1] for name in ("gray.png", "one-bit.png", "palette.png")} == {"L", "1", "P"}
    assert min(sizes["large.png"]) > 64
    assert max(sizes["tiny.png"]) < 32


def test_a_network_that_resizes_none_gets_photos_of_its_own_size():
    record = Preprocess(image_size=(20, 28), channels=1, resize_size=(20, 28), offset=0, scale=1.0)
    for photo in proof_photos(record):
        with Image.open(io.BytesIO(photo.content)) as picture:
            turned = picture.getexif().get(0x0112) == 6
            assert picture.size == ((20, 28) if turned else (28, 20)), photo.name


def test_an_absent_proof_is_named_with_the_remedy(proven):
    given = proven()
    proof_path(given.path).unlink()
    with pytest.raises(UserError, match=r"model\.proof\.npz") as caught:
        prove(given.path)
    assert "econet export" in caught.value.remedy


@pytest.mark.parametrize("keep", [0, 10, 1000, -1])
def test_a_cut_proof_is_refused(proven, keep):
    path = proof_path(proven().path)
    path.write_bytes(path.read_bytes()[:keep])
    assert refusal(path)


def test_pickled_objects_are_never_opened(proven, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("pickled").write_text, ("x",))

    path = proof_path(proven().path)
    rewritten(path, logits=np.array([Bomb()], object))
    assert "holds object" in refusal(path)
    assert not (tmp_path / "pickled").exists()


def npy(shape, kind="'|u1'", data=b""):
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"pixels": npy("(1000000000, 1000000, 3)")}, "not what follows"),
        ({"pixels": npy("(-1, 4)")}, "not what follows"),
        ({"pixels": npy("(1, 32, 32, 3)", "'<f8'", bytes(24576))}, "uint8 and float32 alone"),
        ({"pixels": b"no array"}, "magic string"),
        ({"pixels": np.zeros((1, 8, 8, 3), np.uint8)}, "'pixels' is uint8 (1, 8, 8, 3)"),
        ({"pixels": np.zeros((0, 32, 32, 3), np.uint8)}, "pixels of 0 photos"),
        ({"logits": np.full((14, 5), np.nan, np.float32)}, "not a number"),
        ({"logits": None}, "no entry 'logits'"),
        ({"photo_03": None}, "no entry 'photo_03'"),
        ({"tolerance": np.full(14, -1, np.float32)}, "not a number that can be"),
        ({"decoded_00": np.zeros((1, 9000, 3), np.uint8)}, "9000 pixels"),
        ({"proof": np.frombuffer(b'{"schema": 2}', np.uint8)}, "its schema is 2"),
        ({"proof": np.frombuffer(b"[1]", np.uint8)}, "Expected"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value.replace(" ", "-"),
)
def test_a_hostile_proof_is_refused(proven, change, why):
    path = proof_path(proven("colour").path)
    rewritten(path, **change)
    assert why in refusal(path)


def test_a_bomb_of_zeros_is_refused_within_its_limit(proven):
    path = proof_path(proven().path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb.npy", npy("(200000000,)") + bytes(200_000_000))
    assert path.stat().st_size < 1_000_000
    assert "over 128,000,000 bytes" in refusal(path)


@pytest.mark.parametrize("name", ["../../escape.png", "/etc/passwd", "a\\b.png", ".hidden", "colour.png\n"])
def test_a_photos_name_leads_nowhere_else(proven, tmp_path, name):
    path = proof_path(proven().path)
    head = head_of(path)
    head["photos"][0]["name"] = name
    rewritten(path, proof=as_head(head))
    assert "no plain file name" in refusal(path)
    with pytest.raises(UserError):
        unpack_photos(path, tmp_path / "photos")
    assert not (tmp_path / "photos").exists()


def test_flipped_bytes_give_a_refusal_or_an_answer(proven):
    given = proven("gray", "int8")
    path = proof_path(given.path)
    whole = path.read_bytes()
    random = np.random.default_rng(5)
    for place in random.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(bytes(damaged))
        with suppress(UserError):  # anything else is a fault
            assert len(read_proof(path).photos) == len(given.proof.photos)


def test_photos_are_unpacked_as_they_are_and_overwrite_nothing(proven, tmp_path):
    given = proven("gray")
    paths = unpack_photos(proof_path(given.path), tmp_path / "photos")
    assert [path.read_bytes() for path in paths] == list(given.proof.photos)
    with pytest.raises(UserError, match=r"colour\.png exists"):
        unpack_photos(proof_path(given.path), tmp_path / "photos")


def test_a_proof_of_another_file_is_made_again(proven, made):
    given = proven("gray", "int8")
    given.path.write_bytes(made["colour", "int8"].read_bytes())
    prove_beside(given.path)
    assert prove(given.path).passed
