"""`export`: the file gives what the checkpoint gives, and bad files are reported in one line."""

from pathlib import Path

import pytest

from cnnlab.commands.early import answer
from cnnlab.commands.eval import run as evaluate
from cnnlab.commands.export import run as export
from cnnlab.config.compose import compose
from cnnlab.errors import UserError
from cnnlab.runs.locate import PRETRAINED
from cnnlab.runs.onnx_network import checksum_of
from cnnlab.runs.run import train
from cnnlab.runs.trained_network import load_trained

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def logs(tmp_path_factory, data_root) -> Path:
    """The logs of a trained LeNet-5."""
    logs = tmp_path_factory.mktemp("logs")
    train(compose("train", [f"log_dir={logs}", f"data.root={data_root}", "trainer.max_epochs=4", "logger=none"]))
    return logs


@pytest.fixture
def command(logs, data_root):
    """Composes a command as `main` does."""

    def composed(name: str, *overrides: str):
        return answer(compose(name, [f"log_dir={logs}", f"data.root={data_root}", *overrides]))[0]

    return composed


@pytest.fixture(scope="module")
def exported(logs, data_root) -> Path:
    cfg = compose("export", [f"log_dir={logs}", f"data.root={data_root}", "checkpoint=latest"])
    return export(answer(cfg)[0])


@pytest.mark.parametrize(
    "overrides", [("format=onnx",), ("format=onnx", "preprocessing=false"), ("format=safetensors",)]
)
def test_an_exported_network_has_the_checkpoints_accuracy(overrides, command, tmp_path, capsys):
    suffix = overrides[0].partition("=")[2]
    path = export(command("export", "checkpoint=latest", f"output={tmp_path / 'net'}.{suffix}", *overrides))
    for tta in ("none", "shift"):
        expected = evaluate(
            command("eval", "checkpoint=latest", "trainer.precision=32-true", f"figures={tmp_path}", f"tta={tta}")
        )
        found = evaluate(
            command("eval", f"checkpoint={path}", "trainer.precision=32-true", f"figures={tmp_path}", f"tta={tta}")
        )
        assert found.confusion.equal(expected.confusion)
    if "format=onnx" in overrides:
        assert "with onnxruntime on 64 test images of digits" in capsys.readouterr().out


def test_the_file_is_named_for_network_data_and_run(exported, logs):
    run = next(logs.glob("lenet5-digits/*/result.json")).parent
    assert exported == logs / "exports" / f"lenet5-digits-{run.name.rpartition('-')[2]}.onnx"
    assert load_trained(exported).classes == tuple("0123456789")


def test_the_pretrained_file_is_what_export_writes(command, tmp_path):
    path = export(
        command(
            "export", "checkpoint=pretrained:lenet5-mnist", "format=safetensors", f"output={tmp_path}/a.safetensors"
        )
    )
    assert path.read_bytes() == (PRETRAINED / "lenet5-mnist.safetensors").read_bytes()


def test_without_the_data_random_images_are_used(logs, tmp_path, capsys):
    cfg = compose("export", [f"log_dir={logs}", f"data.root={tmp_path}", "checkpoint=pretrained:lenet5-mnist"])
    export(answer(cfg)[0])
    assert "on 64 random images (the data is not on this machine)" in capsys.readouterr().out


def test_what_is_exported_is_not_exported_again(command, exported):
    with pytest.raises(UserError, match="is exported already; give the run's checkpoint"):
        export(command("export", f"checkpoint={exported}"))


def test_a_file_that_cannot_be_written_is_reported(command, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"output=.*net.onnx cannot be written: "):
        export(command("export", "checkpoint=latest", f"output={tmp_path}/file/net.onnx"))


def foreign(path: Path) -> str:
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", values[:1], values[1:])), path)
    return "was not written by cnnlab: it does not name its network and its data"


def text(path: Path) -> str:
    path.write_text("not an ONNX file", encoding="utf-8")
    return "is not a complete ONNX file"


def with_external_weights(path: Path, source: Path) -> str:
    model = onnx.load(source)
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "../../secret")
    tensor.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return "has weights in other files, which cnnlab does not read"


def with_an_external_constant(path: Path, source: Path) -> str:
    model = onnx.load(source)
    tensor = onnx.TensorProto(name="constant", dims=[1], data_type=onnx.TensorProto.FLOAT, raw_data=bytes(4))
    onnx.external_data_helper.set_external_data(tensor, "../../secret")
    tensor.ClearField("raw_data")
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["constant"], value=tensor))
    path.write_bytes(model.SerializeToString())
    return "has weights in other files, which cnnlab does not read"


def with_an_unknown_operation(path: Path, source: Path) -> str:
    model = onnx.load(source)
    model.graph.node[0].op_type = "Unknown"
    for entry in model.metadata_props:
        if entry.key == "crc32":
            card = next(fact.value for fact in model.metadata_props if fact.key == "cnnlab")
            entry.value = checksum_of(model, card)
    path.write_bytes(model.SerializeToString())
    return "cannot be used: "


def with_a_flipped_bit(path: Path, source: Path) -> str:
    model = onnx.load(source)
    raw = bytearray(model.graph.initializer[0].raw_data)
    raw[3] ^= 1
    model.graph.initializer[0].raw_data = bytes(raw)
    path.write_bytes(model.SerializeToString())
    return "is damaged: its checksum does not match its content"


@pytest.mark.parametrize(
    "make",
    [
        foreign,
        text,
        with_external_weights,
        with_an_external_constant,
        with_an_unknown_operation,
        with_a_flipped_bit,
    ],
)
def test_other_onnx_files_are_refused(make, exported, tmp_path):
    path = tmp_path / "net.onnx"
    message = make(path) if make in (foreign, text) else make(path, exported)
    with pytest.raises(UserError, match=f"{path} {message}"):
        load_trained(path)


def test_what_needs_the_weights_refuses_an_onnx_file(exported, command):
    from cnnlab.commands.analyze import run as analyze

    with pytest.raises(UserError, match="analyze needs the network's weights, and an ONNX file"):
        analyze(command("analyze", f"checkpoint={exported}"))
