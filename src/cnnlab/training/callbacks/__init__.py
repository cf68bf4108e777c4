"""Lightning callbacks: metrics of each epoch, checkpoints, gradient norms, progress, TensorBoard images."""

from cnnlab.training.callbacks.checkpoints import Checkpoints
from cnnlab.training.callbacks.display import Display
from cnnlab.training.callbacks.gradient_norms import GradientNorms
from cnnlab.training.callbacks.history import History
from cnnlab.training.callbacks.input_images import InputImages

__all__ = ["Checkpoints", "Display", "GradientNorms", "History", "InputImages"]
