"""What happens around the steps: the history of the epochs, checkpoints, warnings, the display."""

from cnnlab.learn.callbacks.checkpoints import Checkpoints
from cnnlab.learn.callbacks.display import Display
from cnnlab.learn.callbacks.gradient_norms import GradientNorms
from cnnlab.learn.callbacks.history import History
from cnnlab.learn.callbacks.pictures import InputPictures

__all__ = ["Checkpoints", "Display", "GradientNorms", "History", "InputPictures"]
