"""What a training step costs: as `train.py` makes it, in three bare forms, and as one writes it oneself."""

from cnnlab.benchmarks import loops
from cnnlab.benchmarks.child import Contenders, race
from cnnlab.benchmarks.layers import layer_rows
from cnnlab.benchmarks.noise import check_data, crop_and_flip
from cnnlab.benchmarks.rates import matrix_products, product_rates, rate_rows, step_operations
from cnnlab.benchmarks.results import Result, Row, facts_of
from cnnlab.benchmarks.stopwatch import Timing
from cnnlab.config.schema import BenchmarkConfig

OURS, PLAIN = "train.py", "plain PyTorch"
WANTED_FRACTION = 60  # percent of the rate of matrix products


def bench(cfg: BenchmarkConfig) -> Result:
    check_data(cfg)
    padding, flip = crop_and_flip(cfg)
    data, model, machine = loops.prepared(cfg, cfg.data.batch_size)
    shape = data.spec.shape
    operations = step_operations(model.net, cfg.data.batch_size, *shape[:2])
    steps = loops.steps_of_a_turn(loops.macs_of_a_step(cfg))
    images = loops.images_for(cfg, steps)
    contenders: Contenders = {
        OURS: (loops.run_trainer, {"cfg": cfg, "images": images}),
        **{form: (loops.run_form, {"cfg": cfg, "form": form}) for form in loops.FORMS},
        PLAIN: (loops.run_plain, {"cfg": cfg, "padding": padding, "flip": flip, "images": images}),
    }
    timings, peaks = race(contenders, dict.fromkeys(contenders, steps), cfg.rounds, matrix_products(machine))
    rates = product_rates(timings)
    rows = []
    for name, peak in peaks.items():
        is_bf16 = name.startswith("bf16") or (name == OURS and machine.precision == "bf16-mixed")
        bound = rates["bf16" if is_bf16 and "bf16" in rates else "float32"]
        rows.append(_row(name, timings[name], cfg.data.batch_size, operations, bound) | {"peak, MiB": peak >> 20})
    result = Result(facts_of(cfg, machine, data), {"training steps": rows}, timings=timings)
    result.tables["matrix products"] = rate_rows(timings)
    ratio = timings[PLAIN].median / timings[OURS].median
    result.notes = [
        f"train.py trains {ratio:.2f} times as fast as the plain script, whose peak memory is without that of its two "
        "loaders.",
        "Share: of the rate of matrix products in the step's own type, measured by turns with it.",
    ]
    if cfg.profile:
        batch = next(iter(data.train_dataloader()))
        layers = layer_rows(model, machine, batch, cfg.rounds, rates)
        result.tables["the step of train.py by layer"] = layers
        if convolutions := [row for row in layers if "conv" in row["kind"]]:
            result.notes.append(
                f"All convolutions together reach {_fraction(convolutions):.0f} % of that rate, and are to reach at "
                f"least {WANTED_FRACTION} %."
            )
    return result


def _fraction(layers: list[Row]) -> float:
    """Of the rate of matrix products in percent, each layer's counted by its time."""
    times = [row["forward, ms"] + row["backward, ms"] for row in layers]
    return sum(row["fraction"] * time for row, time in zip(layers, times, strict=True)) / sum(times)


def _row(name: str, timing: Timing, batch_size: int, operations: int, bound: float) -> Row:
    fastest, slowest = timing.spread
    rates = {"images/s": timing.median, "slowest": slowest, "fastest": fastest}
    achieved = operations / timing.median
    return {
        "step": name,
        **{column: batch_size / seconds for column, seconds in rates.items()},
        "ms": 1000 * timing.median,
        "GFLOP/s": achieved / 1e9,
        "fraction": 100 * achieved / bound,
    }
