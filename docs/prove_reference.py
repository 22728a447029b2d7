"""Replay a proof without EcoNet: numpy and onnxruntime, and Pillow with `--photos`. The format: proof.md.

python prove_reference.py model.onnx model.proof.npz [--photos]
"""

import hashlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime


def decode(content, channels):
    """uint8 [H, W, C]: upright, 16 bits scaled to 8, transparency over white, gray by ITU-R 601."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    if picture.mode == "I;16":
        picture = Image.fromarray(((np.asarray(picture).astype(np.uint32) + 128) // 257).astype(np.uint8))
    if picture.has_transparency_data:
        above = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    if channels == 3:
        return np.asarray(picture.convert("RGB"))
    return np.asarray(picture if picture.mode == "L" else picture.convert("RGB").convert("L"))[:, :, None]


def resize(pixels, how, height, width):
    """Antialiased bilinear to `height` x `width`: stretched, or the shorter side fitted and the longer one cut."""
    from PIL import Image

    tall, wide = height, width
    if how == "shorter-side":
        factor = max(height / pixels.shape[0], width / pixels.shape[1])
        tall, wide = max(height, round(pixels.shape[0] * factor)), max(width, round(pixels.shape[1] * factor))
    picture = Image.fromarray(pixels.squeeze()).resize((wide, tall), Image.Resampling.BILINEAR)
    return centre(np.asarray(picture).reshape(tall, wide, -1), height, width)


def centre(images, height, width):
    """The middle of each image [..., H, W, C]."""
    top, left = (images.shape[-3] - height) // 2, (images.shape[-2] - width) // 2
    return images[..., top : top + height, left : left + width, :]


def main(model, proof_file, *options):
    """Replay the proof and say what differs."""
    proof = np.load(proof_file, allow_pickle=False)
    head = json.loads(proof["proof"].tobytes())
    how, tolerance = head["preprocess"], proof["pixel_tolerance"]
    content = Path(model).read_bytes()
    faults = [] if hashlib.sha256(content).hexdigest() == head["files"][0]["sha256"] else ["the file is another one"]
    stored = proof["pixels"]
    if "--photos" in options:
        decoded = [decode(proof[f"photo_{i:02}"].tobytes(), how["channels"]) for i in range(len(head["photos"]))]
        for i, photo in enumerate(head["photos"]):
            found, right = decoded[i], proof[f"decoded_{i:02}"]
            if found.shape != right.shape or np.abs(found.astype(float) - right).mean() > photo["tolerance"]:
                faults.append(f"the decoder gives other pixels of {photo['name']}")
        if how["resize"] != "none":
            decoded = [resize(image, how["resize"], *how["resize_size"]) for image in decoded]
        stored, tolerance = np.stack(decoded), proof["tolerance"]
    inputs = np.ascontiguousarray(centre(stored, *how["image_size"]).transpose(0, 3, 1, 2))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"image": inputs})[0]
    off = np.abs(logits - proof["logits"][: len(logits)]).max(axis=1) / tolerance
    odd = head["precision"] == "int8" and (off > 1).mean() <= 0.1 and off.max() <= 2
    faults += [] if odd else [f"the logits of {head['photos'][i]['name']} differ" for i in np.flatnonzero(~(off <= 1))]
    print("\n".join(faults) or f"proven: {len(logits)} photos, classes {', '.join(head['classes'])}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
