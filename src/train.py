"""Train a network on a dataset: `python src/train.py model=resnet18 data=cifar10`; `--help` lists every choice."""

from omegaconf import DictConfig

from cnnlab.cli import command


@command("train")
def main(cfg: DictConfig) -> None:
    from cnnlab.runs.training import train

    train(cfg)


if __name__ == "__main__":
    main()
