"""The cost of our operators: the same training steps of a whole network, on the library's and on ours."""

from cnnlab.benchmarks import loops
from cnnlab.benchmarks.child import Contenders, race
from cnnlab.benchmarks.noise import check_data
from cnnlab.benchmarks.results import Result, facts_of, speed_rows
from cnnlab.config.schema import BenchmarkConfig

WAYS = {"PyTorch": "library", "our operators": "own"}


def bench(cfg: BenchmarkConfig) -> Result:
    check_data(cfg)
    parts = loops.noise_parts(cfg, cfg.data.batch_size)
    steps = loops.steps_per_turn(cfg.data.batch_size * parts.macs)
    images = loops.images_for(cfg, steps)
    contenders: Contenders = {
        name: (loops.run_bare, {"cfg": cfg.model_copy(update={"ops": ops}), "images": images})
        for name, ops in WAYS.items()
    }
    timings, peaks = race(contenders, dict.fromkeys(contenders, steps), cfg.rounds, {})
    rows = speed_rows("operators", timings, peaks, cfg.data.batch_size)
    library, own = (timings[name].median for name in WAYS)
    notes = [
        f"A step on our operators takes {own / library:.2f} times as long as on PyTorch's.",
        "Ours are convolution, pooling, linear, normalization, activation and dropout, forward and backward.",
    ]
    return Result(facts_of(cfg, parts.data, parts.machine), {"training steps": rows}, notes, timings)
