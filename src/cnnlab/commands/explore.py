"""`explore`: a page in which a trained network can be opened and looked into, without a server."""

from pathlib import Path

import torch

from cnnlab.config.trained import ExploreConfig
from cnnlab.errors import checking
from cnnlab.files import write_atomically, writing
from cnnlab.rendering.tables import aligned
from cnnlab.runs.evaluation import datamodule_of
from cnnlab.runs.trained_network import Trained, load_network
from cnnlab.web.bundle import halved, rounded
from cnnlab.web.explorer import explorer_page, one_of_each


def run(cfg: ExploreConfig) -> Path:
    """Write the page of one network, or of two that see the same images, and print where it is.

    Raises:
        UserError: a checkpoint or its data cannot be used, the page cannot show a network, or it cannot be written.
    """
    paths = [cfg.checkpoint] if isinstance(cfg.checkpoint, str) else cfg.checkpoint
    networks = [load_network(path, "explore") for path in paths]
    data = datamodule_of(cfg.data, networks[0].card)
    images, labels = one_of_each(data.test, cfg.images)
    with checking(f"checkpoint={','.join(paths)}"):
        page = explorer_page(networks, images, [networks[0].classes[label] for label in labels], cfg.language)
    path = Path(cfg.output)
    with writing(f"output={path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, page)
    facts = [("network", trained.name) for trained in networks]
    facts += [("weights", _precision_of(trained, trained.preprocess(images))) for trained in networks]
    facts += [("images", f"{len(images)} test images of {data.name}")]
    facts += [("page", f"{path}, {path.stat().st_size / 1e6:,.2f} MB; open it in a browser")]
    print(aligned(facts))
    return path


def _precision_of(trained: Trained, x: torch.Tensor) -> str:
    """How the page stores the weights, and how much that moves the logits of its images."""
    state = trained.net.state_dict()
    if all(tensor.dtype != torch.float16 for tensor in rounded([*state.values()])):
        return "float32"
    with torch.inference_mode():
        exact = trained.net(x)
        trained.net.load_state_dict({key: halved(value) for key, value in state.items()})
        moved = (trained.net(x) - exact).abs().max() / exact.abs().max()
    return f"filters in float16, which moves the logits by at most {moved:.1e} of the largest"
