"""What Lightning's Trainer and the run's callbacks cost, against a bare loop that does the same steps."""

from cnnlab.benchmarks import loops
from cnnlab.benchmarks.child import Contenders, race
from cnnlab.benchmarks.noise import check_data
from cnnlab.benchmarks.results import Result, facts_of
from cnnlab.config.schema import BenchmarkConfig

TRAINER, BARE = "Trainer", "bare loop"
MEMORY = 1.1  # times the bare loop's, at most
RATIOS = {"resnet18": 0.97, "lenet5": 0.85}  # of the bare loop's images a second, at least; at batch 128


def bench(cfg: BenchmarkConfig) -> Result:
    check_data(cfg)
    data, _, machine = loops.prepared(cfg, cfg.data.batch_size)
    steps = loops.steps_of_a_turn(loops.macs_of_a_step(cfg))
    arguments = {"cfg": cfg, "images": loops.images_for(cfg, steps)}
    contenders: Contenders = {TRAINER: (loops.run_trainer, arguments), BARE: (loops.run_bare, arguments)}
    timings, peaks = race(contenders, dict.fromkeys(contenders, steps), cfg.rounds, {})
    rows = []
    for name, timing in timings.items():
        fastest, slowest = timing.spread
        rates = {"images/s": timing.median, "slowest": slowest, "fastest": fastest}
        rows.append(
            {
                "loop": name,
                **{column: cfg.data.batch_size / seconds for column, seconds in rates.items()},
                "ms": 1000 * timing.median,
                "peak, MiB": peaks[name] >> 20,
            }
        )
    ratio = timings[BARE].median / timings[TRAINER].median
    facts = facts_of(cfg, machine, data)
    wanted = f", and is to be at least {RATIOS[facts['network']]} at batch 128" if facts["network"] in RATIOS else ""
    memory = peaks[TRAINER] / peaks[BARE]
    notes = [
        f"Images a second: the Trainer's are {ratio:.3f} of the bare loop's{wanted}.",
        f"Memory: the Trainer's peak is {memory:.3f} of the bare loop's, and is to be at most {MEMORY}.",
    ]
    return Result(facts, {"training steps": rows}, notes, timings)
