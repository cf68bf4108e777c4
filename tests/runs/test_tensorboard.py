"""TensorBoard serves the curves, images, graph and hyperparameters of a run."""

import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cnnlab.runs.run import train
from cnnlab.training.callbacks import network_graph
from tests.runs.test_run import folder_of, rows_of


def test_tensorboard_serves_a_run(configure):
    cfg = configure("trainer.max_epochs=2", "data.limit=128")
    record = train(cfg)
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", cfg.log_dir, "--port", "0", "--host", "127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert server.stderr is not None
        line = next(line for line in server.stderr if "http://" in line)
        origin = line[line.index("http://") :].split()[0].rstrip("/")
        run = f"{cfg.name}/{folder_of(cfg, record).name}"
        tags = wait_for(f"{origin}/data/plugin/scalars/tags", run)[run]
        for tag in (
            "train/loss",
            "train/acc",
            "val/loss",
            "val/acc",
            "lr",
            "images_per_second",
            "val/acc_best",
            "test/acc",
        ):
            assert tag in tags
        query = urllib.parse.urlencode({"run": run, "tag": "val/acc"})
        points = fetch(f"{origin}/data/plugin/scalars/scalars?{query}")
        assert [value for _, _, value in points] == pytest.approx(
            [float(row["val/acc"]) for row in rows_of(folder_of(cfg, record))]
        )
        assert "inputs/augmented" in fetch(f"{origin}/data/plugin/images/tags")[run]
        assert fetch(f"{origin}/data/plugin/graphs/info")[run]["run_graph"]
        experiment = fetch(f"{origin}/data/plugin/hparams/experiment", b'{"experimentName": ""}')
        names = {info["name"] for info in experiment["hparamInfos"]}
        assert names >= {"model", "model.pooling", "optimizer.lr", "seed"}
    finally:
        server.terminate()
        server.communicate(timeout=20)


def fetch(url: str, body: bytes | None = None):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"} if body else {})
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def wait_for(url: str, key: str):
    """The content of `url` once it has `key`: the server answers before it has read the logs."""
    deadline = time.monotonic() + 90
    while key not in (content := fetch(url)):
        assert time.monotonic() < deadline, content
        time.sleep(0.2)
    return content


def test_a_run_that_is_only_tested_still_has_its_curves_images_and_graph(configure):
    small = ("trainer.max_epochs=2", "data.limit=64")
    train(configure(*small, "test=false"))
    cfg = configure(*small)
    events = EventAccumulator(str(folder_of(cfg, train(cfg))))
    events.Reload()
    tags = events.Tags()
    assert "inputs/augmented" in tags["images"]
    assert tags["graph"]
    assert len(events.Scalars("val/acc")) == 2


def test_jobs_with_equal_networks_share_a_trace_of_which_torch_keeps_memory(configure, monkeypatch):
    traced = []
    trace = torch.jit.trace
    monkeypatch.setattr(network_graph, "_GRAPHS", {})
    monkeypatch.setattr(torch.jit, "trace", lambda *args, **options: traced.append(1) or trace(*args, **options))
    for overrides in (["seed=0"], ["seed=1"], ["model.activation=relu"]):
        cfg = configure("trainer=smoke", "test=false", *overrides)
        events = EventAccumulator(str(folder_of(cfg, train(cfg))))
        events.Reload()
        assert events.Tags()["graph"]
    assert len(traced) == 2
