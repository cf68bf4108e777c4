"""One run on several nodes, with one command on each."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from cnnlab.config.compose import compose
from cnnlab.runs import launch
from cnnlab.runs.run import train
from tests.conftest import REPOSITORY
from tests.runs.test_launch import record_of


def node_variables(node: int, port: int) -> dict[str, str]:
    return {"NODE_RANK": str(node), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def two_nodes(overrides) -> list["subprocess.Popen[str]"]:
    """Start the command of each node."""
    port = free_port()
    return [
        subprocess.Popen(
            [sys.executable, "src/train.py", *overrides], cwd=REPOSITORY, text=True,
            env=os.environ | node_variables(node, port), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for node in (0, 1)
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "error"),
    [
        (signal.SIGTERM, 143, "the command of node 1 has ended, and the others with it; run the same command again"),
        (signal.SIGKILL, -9, "a peer of rank 0 is gone "),
    ],
)
def test_the_run_is_interrupted_if_the_command_of_another_node_ends(number, status, error, arguments):
    overrides = arguments("trainer.num_nodes=2", "trainer.max_epochs=1000", "name=nodes")
    nodes = two_nodes(overrides)
    assert nodes[0].stdout is not None
    assert any(line.startswith("epoch    1/1000") for line in nodes[0].stdout)
    nodes[1].send_signal(number)
    for node in nodes:
        node.communicate(timeout=100)
    assert [node.returncode for node in nodes] == [1, status]
    record, _ = record_of(overrides)
    assert record["status"] == "interrupted"
    assert record["error"].startswith(error)


@pytest.mark.slow
def test_the_other_nodes_wait_while_the_first_one_reads_its_data(monkeypatch):
    monkeypatch.setattr(launch, "GATHERING", timedelta(seconds=1))
    port, teams = free_port(), []
    for node in (0, 1):
        for name, value in node_variables(node, port).items():
            monkeypatch.setenv(name, value)
        teams.append(launch.Processes(devices=1, nodes=2))

    def read_data() -> None:
        with teams[0]:
            time.sleep(2)

    first = threading.Thread(target=read_data)
    first.start()
    with teams[1]:
        teams[1].join()
    first.join()


@pytest.mark.slow
def test_two_nodes_train_one_run_and_both_commands_end_if_it_is_complete(arguments):
    overrides = arguments("trainer.num_nodes=2", "name=nodes")
    for line in ("epoch 5/5", "this run is already complete"):
        nodes = two_nodes(overrides)
        printed = [node.communicate(timeout=200)[0] for node in nodes]
        assert [node.returncode for node in nodes] == [0, 0], printed
        assert line in printed[0]
        assert printed[1] == ""
    record, _ = record_of(overrides)
    assert record["processes"] == 2
    one = train(compose("train", arguments("name=one")))
    assert record["test/loss"] == pytest.approx(one["test/loss"], rel=1e-5)
