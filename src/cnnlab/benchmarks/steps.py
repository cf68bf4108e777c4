"""The cost of a training step: `train.py`'s own, three bare forms of it, and a plain PyTorch script's."""

from cnnlab.benchmarks import loops
from cnnlab.benchmarks.child import Contenders, race
from cnnlab.benchmarks.layers import layer_rows
from cnnlab.benchmarks.noise import check_data, crop_and_flip
from cnnlab.benchmarks.rates import matrix_products, product_rates, rate_rows, step_operations
from cnnlab.benchmarks.results import Result, Row, facts_of
from cnnlab.benchmarks.stopwatch import Timing
from cnnlab.config.schema import BenchmarkConfig

OURS, PLAIN = "train.py", "plain PyTorch"
TARGET_FRACTION = 60  # percent of the rate of matrix products that all convolutions together should reach


def bench(cfg: BenchmarkConfig) -> Result:
    check_data(cfg)
    crop_and_flip(cfg)  # raises for augmentation that the plain script does not have
    parts = loops.noise_parts(cfg, cfg.data.batch_size)
    data, model, machine = parts.data, parts.model, parts.machine
    operations = step_operations(model.net, cfg.data.batch_size, data.spec.in_channels, data.spec.image_size)
    steps = loops.steps_per_turn(cfg.data.batch_size * parts.macs)
    images = loops.images_for(cfg, steps)
    contenders: Contenders = {
        OURS: (loops.run_trainer, {"cfg": cfg, "images": images}),
        **{form: (loops.run_form, {"cfg": cfg, "form": form}) for form in loops.FORMS},
        PLAIN: (loops.run_plain, {"cfg": cfg, "images": images}),
    }
    timings, peaks = race(contenders, dict.fromkeys(contenders, steps), cfg.rounds, matrix_products(machine))
    rates = product_rates(timings)
    rows = []
    for name, peak in peaks.items():
        is_bf16 = name.startswith("bf16") or (name == OURS and machine.precision == "bf16-mixed")
        bound = rates["bf16" if is_bf16 and "bf16" in rates else "float32"]
        rows.append(_row(name, timings[name], cfg.data.batch_size, operations, bound) | {"peak, MiB": peak >> 20})
    result = Result(facts_of(cfg, data, machine), {"training steps": rows}, timings=timings)
    result.tables["matrix products"] = rate_rows(timings)
    ratio = timings[PLAIN].median / timings[OURS].median
    result.notes = [
        f"train.py is {ratio:.2f} times as fast as the plain script, whose peak memory is without its two loaders.",
        "fraction: percent of the rate of matrix products in the step's own type, measured alternately with it.",
    ]
    if cfg.profile:
        layers = layer_rows(model, machine, next(iter(data.train_dataloader())), cfg.rounds, rates)
        result.tables["the step of train.py by layer"] = layers
        if convolutions := [row for row in layers if "conv" in row["kind"]]:
            result.notes.append(
                f"All convolutions together reach {_fraction(convolutions):.0f} % of that rate; the target is at least "
                f"{TARGET_FRACTION} %."
            )
    return result


def _fraction(layers: list[Row]) -> float:
    """The layers' mean fraction of the rate of matrix products in percent, weighted by their time."""
    times = [row["forward, ms"] + row["backward, ms"] for row in layers]
    return sum(row["fraction"] * time for row, time in zip(layers, times, strict=True)) / sum(times)


def _row(name: str, timing: Timing, batch_size: int, operations: int, bound: float) -> Row:
    achieved = operations / timing.median
    return {
        "step": name,
        **timing.rates("images/s", batch_size),
        "ms": 1000 * timing.median,
        "GFLOP/s": achieved / 1e9,
        "fraction": 100 * achieved / bound,
    }
