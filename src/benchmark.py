"""Time what this machine does: `python src/benchmark.py bench=train model=resnet18 data=cifar10`."""

from omegaconf import DictConfig

from cnnlab.cli.main import command


@command("benchmark")
def main(cfg: DictConfig) -> None:
    from cnnlab.benchmarks.results import run_bench

    run_bench(cfg)


if __name__ == "__main__":
    main()
