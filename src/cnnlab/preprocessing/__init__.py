"""From an image file to the input of a network: the one path that training, evaluation and prediction share."""

from cnnlab.preprocessing.fit import FITS, fitted
from cnnlab.preprocessing.image_files import UnreadableImage, read_image
from cnnlab.preprocessing.pixels import denormalize, normalize
from cnnlab.preprocessing.preprocess import INVERTS, Prepared, Preprocessing

__all__ = [
    "FITS",
    "INVERTS",
    "Prepared",
    "Preprocessing",
    "UnreadableImage",
    "denormalize",
    "fitted",
    "normalize",
    "read_image",
]
