"""What a batch costs before the network sees it, ours and a plain loader's, and how much of a step that is."""

from cnnlab.benchmarks import loops
from cnnlab.benchmarks.child import Contenders, race
from cnnlab.benchmarks.noise import check_data, crop_and_flip
from cnnlab.benchmarks.results import Result, Row, facts_of
from cnnlab.benchmarks.stopwatch import Timing
from cnnlab.config.compose import compose
from cnnlab.config.schema import BenchmarkConfig

OURS, PLAIN = "cnnlab", "plain PyTorch"
TARGETS = {"resnet18": 2, "lenet5": 15}  # percent of a step that a batch may take


def bench(cfg: BenchmarkConfig) -> Result:
    check_data(cfg)
    padding, flip = crop_and_flip(cfg)
    data, _, machine = loops.prepared(cfg, cfg.data.batch_size)
    steps = {OURS: 20, PLAIN: 10}
    images = loops.images_for(cfg, steps[PLAIN])
    contenders: Contenders = {
        OURS: (loops.run_our_data, {"cfg": cfg}),
        PLAIN: (loops.run_plain_loader, {"cfg": cfg, "padding": padding, "flip": flip, "images": images}),
    }
    for name in TARGETS:
        other = cfg.model_copy(update={"model": compose("benchmark", [f"model={name}"]).model})
        steps[name] = loops.steps_of_a_turn(loops.macs_of_a_step(other))
        contenders[name] = (loops.run_trainer, {"cfg": other, "images": loops.images_for(cfg, steps[name])})
        steps[f"batches of {name}"] = steps[OURS]
        contenders[f"batches of {name}"] = (loops.run_our_data, {"cfg": other})
    timings, peaks = race(contenders, steps, cfg.rounds, {})
    facts = facts_of(cfg, machine, data) | {"network": ", ".join(TARGETS)}
    return _result(facts, timings, peaks, cfg.data.batch_size)


def _result(facts: dict[str, str], timings: dict[str, Timing], peaks: dict[str, int], batch_size: int) -> Result:
    seconds = {name: timing.median for name, timing in timings.items()}
    rows: list[Row] = []
    for name in (OURS, PLAIN):
        fastest, slowest = timings[name].spread
        rows.append(
            {
                "batches by": name,
                "batches/s": 1 / seconds[name],
                "slowest": 1 / slowest,
                "fastest": 1 / fastest,
                "images/s": batch_size / seconds[name],
                "peak, MiB": peaks[name] >> 20,
            }
        )
    fractions = [
        {
            "step of": name,
            "ms": 1000 * seconds[name],
            "fraction": 100 * seconds[f"batches of {name}"] / seconds[name],
            "at most, %": target,
        }
        for name, target in TARGETS.items()
    ]
    note = f"cnnlab makes {seconds[PLAIN] / seconds[OURS]:,.1f} times as many batches per second as the plain loader."
    tables = {"augmented, normalized batches": rows, "cnnlab's fraction of a training step": fractions}
    return Result(facts, tables, [note], timings)
