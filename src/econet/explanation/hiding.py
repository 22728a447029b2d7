"""What stands where a part of a picture is hidden: the picture itself, blurred until its parts are gone."""

import numpy as np
from PIL import Image, ImageFilter

from econet.images.preprocess import Pixels

# Of the shorter side. Shapes are gone, colour and brightness stay: a gray patch would be a thing of its own, with
# edges to see, and a network's answer to it would be about the patch.
_BLUR = 1 / 8


def blurred(picture: Pixels) -> Pixels:
    """The picture uint8 [h, w, C] under a Gaussian blur whose standard deviation is an eighth of its shorter side.

    Source: Fong and Vedaldi 2017, "Interpretable Explanations of Black Boxes by Meaningful Perturbation", section 4.1.
    """
    radius = _BLUR * min(picture.shape[:2])
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    return np.array(image.filter(ImageFilter.GaussianBlur(radius))).reshape(picture.shape)
