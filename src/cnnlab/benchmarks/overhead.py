"""The overhead of Lightning's Trainer and the run's callbacks, measured against a bare loop over the same steps."""

from cnnlab.benchmarks import loops
from cnnlab.benchmarks.child import Contenders, race
from cnnlab.benchmarks.noise import check_data
from cnnlab.benchmarks.results import Result, facts_of, speed_rows
from cnnlab.config.schema import BenchmarkConfig

TRAINER, BARE = "Trainer", "bare loop"
MAX_MEMORY_RATIO = 1.1  # of the Trainer's peak to the bare loop's
MIN_SPEED_RATIOS = {"resnet18": 0.97, "lenet5": 0.85}  # of the Trainer's images/s to the bare loop's, at batch size 128


def bench(cfg: BenchmarkConfig) -> Result:
    check_data(cfg)
    parts = loops.noise_parts(cfg, cfg.data.batch_size)
    steps = loops.steps_per_turn(cfg.data.batch_size * parts.macs)
    arguments = {"cfg": cfg, "images": loops.images_for(cfg, steps)}
    contenders: Contenders = {TRAINER: (loops.run_trainer, arguments), BARE: (loops.run_bare, arguments)}
    timings, peaks = race(contenders, dict.fromkeys(contenders, steps), cfg.rounds, {})
    rows = speed_rows("loop", timings, peaks, cfg.data.batch_size)
    facts = facts_of(cfg, parts.data, parts.machine)
    speed, memory = timings[BARE].median / timings[TRAINER].median, peaks[TRAINER] / peaks[BARE]
    lowest = MIN_SPEED_RATIOS.get(facts["network"])
    target = f"; the target is at least {lowest} at batch size 128" if lowest else ""
    notes = [
        f"images/s: the Trainer reaches {speed:.3f} of the bare loop's{target}.",
        f"Memory: the Trainer's peak is {memory:.3f} times the bare loop's; the target is at most {MAX_MEMORY_RATIO}.",
    ]
    return Result(facts, {"training steps": rows}, notes, timings)
