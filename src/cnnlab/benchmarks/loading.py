"""The cost of a batch by our data module and by a plain loader, and its fraction of a training step."""

from cnnlab.benchmarks import loops
from cnnlab.benchmarks.child import Contenders, race
from cnnlab.benchmarks.noise import check_data, crop_and_flip
from cnnlab.benchmarks.results import Result, Row, facts_of
from cnnlab.benchmarks.stopwatch import Timing
from cnnlab.config.compose import compose
from cnnlab.config.schema import BenchmarkConfig

OURS, PLAIN = "cnnlab", "plain PyTorch"
TARGETS = {"resnet18": 2, "lenet5": 15}  # network -> percent of its step that a batch may take


def bench(cfg: BenchmarkConfig) -> Result:
    check_data(cfg)
    crop_and_flip(cfg)  # raises for augmentation that the plain loader does not have
    parts = loops.noise_parts(cfg, cfg.data.batch_size)
    steps = {OURS: 20, PLAIN: 10}
    contenders: Contenders = {
        OURS: (loops.run_our_data, {"cfg": cfg}),
        PLAIN: (loops.run_plain_loader, {"cfg": cfg, "images": loops.images_for(cfg, steps[PLAIN])}),
    }
    for name in TARGETS:
        other = cfg.model_copy(update={"model": compose("benchmark", [f"model={name}"]).model})
        steps[name] = loops.steps_per_turn(loops.macs_per_step(other))
        contenders[name] = (loops.run_trainer, {"cfg": other, "images": loops.images_for(cfg, steps[name])})
        steps[f"batches of {name}"] = steps[OURS]
        contenders[f"batches of {name}"] = (loops.run_our_data, {"cfg": other})
    timings, peaks = race(contenders, steps, cfg.rounds, {})
    facts = facts_of(cfg, parts.data, parts.machine) | {"network": ", ".join(TARGETS)}
    return _result(facts, timings, peaks, cfg.data.batch_size)


def _result(facts: dict[str, str], timings: dict[str, Timing], peaks: dict[str, int], batch_size: int) -> Result:
    seconds = {name: timing.median for name, timing in timings.items()}
    batches: list[Row] = [
        {
            "batches by": name,
            **timings[name].rates("batches/s", 1),
            "images/s": batch_size / seconds[name],
            "peak, MiB": peaks[name] >> 20,
        }
        for name in (OURS, PLAIN)
    ]
    fractions: list[Row] = [
        {
            "step of": name,
            "ms": 1000 * seconds[name],
            "fraction": 100 * seconds[f"batches of {name}"] / seconds[name],
            "at most, %": target,
        }
        for name, target in TARGETS.items()
    ]
    note = f"cnnlab makes {seconds[PLAIN] / seconds[OURS]:,.1f} times as many batches per second as the plain loader."
    tables = {"augmented, normalized batches": batches, "cnnlab's fraction of a training step": fractions}
    return Result(facts, tables, [note], timings)
