"""`export`: a trained network as ONNX or safetensors, checked before it is written."""

from pathlib import Path

import torch
from torch import Tensor

from cnnlab.config.trained import ExportConfig
from cnnlab.errors import UserError, checking
from cnnlab.files import write_atomically, writing
from cnnlab.rendering.tables import aligned
from cnnlab.runs.evaluation import datamodule_of
from cnnlab.runs.onnx_network import NEEDED, OnnxNetwork
from cnnlab.runs.trained_network import Trained, load_trained
from cnnlab.runs.weights import write_weights

IMAGES = 64  # with which an ONNX file is checked


def run(cfg: ExportConfig) -> Path:
    """Write the network of a checkpoint, and print what the file takes and gives.

    Raises:
        UserError: the checkpoint cannot be used, the file cannot be written, or it would give other results.
    """
    trained = load_trained(cfg.checkpoint)
    if isinstance(trained.net, OnnxNetwork):
        raise UserError(f"checkpoint={cfg.checkpoint} is exported already; give the run's checkpoint")
    path = Path(cfg.output) if cfg.output else _default_path(cfg, trained)
    facts = [("network", trained.name)]
    with writing(f"output={path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    if cfg.format == "safetensors":
        with writing(f"output={path}"):
            write_weights(path, trained.card, trained.net.state_dict())
    else:
        facts += _write_onnx(cfg, trained, path)
    print(aligned([*facts, ("file", f"{path}, {path.stat().st_size / 1e6:,.2f} MB")]))
    return path


def _default_path(cfg: ExportConfig, trained: Trained) -> Path:
    """A file named for the network, the data and, for a run, its id."""
    folder = Path(cfg.checkpoint).parents[1] if Path(cfg.checkpoint).parent.name == "checkpoints" else None
    run_id = folder.name.rpartition("-")[2] if folder and (folder / "result.json").exists() else None
    words = [trained.card["network"]["name"], trained.card["data"]["name"], *([run_id] if run_id else [])]
    return Path(cfg.log_dir) / "exports" / f"{'-'.join(words)}.{cfg.format}"


def _write_onnx(cfg: ExportConfig, trained: Trained, path: Path) -> list[tuple[str, str]]:
    try:
        from cnnlab.export.onnx_file import BATCHES, OPSET, export_onnx, interface
    except ImportError as error:
        raise UserError(NEEDED) from error
    images, which = _images(cfg, trained)
    with checking(f"checkpoint={cfg.checkpoint}"):
        exported = export_onnx(trained, images, cfg.preprocessing)
    with writing(f"output={path}"):
        write_atomically(path, exported.content)
    takes, gives = interface(trained, cfg.preprocessing)
    return [
        ("takes", takes),
        ("gives", gives),
        ("checked", f"with onnxruntime on {which}, batches of {' and '.join(map(str, BATCHES))}"),
        ("difference", f"{exported.difference:.1e} of the largest number at most"),
        ("opset", str(OPSET)),
    ]


def _images(cfg: ExportConfig, trained: Trained) -> tuple[Tensor, str]:
    """Test images of the network's data if they are on this machine, else random ones: uint8 (N, C, H, W)."""
    offline = cfg.data.model_copy(update={"download": False})
    try:
        data = datamodule_of(offline, trained.card)
        images, _ = data.test[torch.arange(min(IMAGES, len(data.test)))]
        if len(images) >= 7:
            return images, f"{len(images)} test images of {data.name}"
    except UserError:
        pass
    side, channels = trained.preprocess.stored_size, trained.preprocess.spec.in_channels
    generator = torch.Generator().manual_seed(0)
    random = torch.randint(256, (IMAGES, channels, side, side), generator=generator, dtype=torch.uint8)
    return random, f"{IMAGES} random images (the data is not on this machine)"
