"""Run folders such as training writes, without training."""

import json
from pathlib import Path
from typing import Any

import yaml

RECORD = {
    "status": "done", "name": "lenet5-mnist", "epochs": 2, "best_epoch": 2, "val/acc": 0.991, "test/acc": 0.99,
    "test/acc_last": 0.9895, "images_per_second": 12345.6, "train_seconds": 90.0, "limits": {}, "precision": "32-true",
    "threads": 1, "device": "AMD EPYC", "data": {"name": "mnist", "fingerprint": "f00"},
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "name": "lenet5-mnist",
    "log_dir": "logs",
    "model": {"_target_": "cnnlab.models.lenet5", "activation": "tanh"},
    "data": {"name": "mnist", "root": "data", "batch_size": 128, "limit": None},
    "augment": {},
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "betas": [0.9, 0.999]},
    "trainer": {"precision": "auto", "threads": "auto", "max_epochs": 2},
}
LENET5 = {"_target_": "cnnlab.models.lenet5", "activation": "tanh"}
MLP = {"_target_": "cnnlab.models.mlp", "hidden": [512, 256]}
COLUMNS = "epoch,step,train/loss,train/acc,val/loss,val/acc,lr,images_per_second,seconds"
METRICS = f"{COLUMNS}\n1,10,2.0,0.5,1.0,0.6,0.1,100,1\n2,20,0.5,0.8,0.4,0.9,0.0,100,1\n"


def write_run(
    logs: Path, run_id: str, seed: int = 0, record: dict[str, Any] | None = None, **config: dict[str, Any]
) -> Path:
    """Write the run folder `logs/lenet5-mnist/<run_id>`; `record` and `config` change values of RECORD and CONFIG."""
    folder = logs / "lenet5-mnist" / run_id
    folder.mkdir(parents=True)
    parts = {key: CONFIG.get(key, {}) | value for key, value in config.items()}
    content = CONFIG | {key: config[key] if "_target_" in config[key] else part for key, part in parts.items()}
    (folder / "config.yaml").write_text(yaml.safe_dump(content | {"seed": seed}, sort_keys=False))
    (folder / "result.json").write_text(json.dumps(RECORD | {"run_id": run_id, "seed": seed} | (record or {})))
    (folder / "metrics.csv").write_text(METRICS)
    return folder


def acc(value: float) -> dict[str, Any]:
    return {"test/acc": value}
