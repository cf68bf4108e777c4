"""Lightning callbacks: metrics of each epoch, checkpoints, measurements of layers, progress, TensorBoard's graph."""

from cnnlab.training.callbacks.checkpoints import Checkpoints
from cnnlab.training.callbacks.display import Display
from cnnlab.training.callbacks.first_filters import FirstFilters
from cnnlab.training.callbacks.gradient_norms import GradientNorms
from cnnlab.training.callbacks.history import History
from cnnlab.training.callbacks.layer_norms import LayerNorms
from cnnlab.training.callbacks.network_graph import NetworkGraph
from cnnlab.training.callbacks.recorder import Recorder
from cnnlab.training.callbacks.step_losses import StepLosses

__all__ = [
    "Checkpoints",
    "Display",
    "FirstFilters",
    "GradientNorms",
    "History",
    "LayerNorms",
    "NetworkGraph",
    "Recorder",
    "StepLosses",
]
