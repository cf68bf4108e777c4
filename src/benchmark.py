"""Time what this machine does: `python src/benchmark.py bench=train model=resnet18 data=cifar10`."""

from omegaconf import DictConfig

from cnnlab.cli import command


@command("benchmark")
def main(cfg: DictConfig) -> None:
    from cnnlab.bench.train import bench_train
    from cnnlab.errors import one_of

    one_of("bench", cfg.bench, ["train"])
    print(bench_train(cfg))


if __name__ == "__main__":
    main()
