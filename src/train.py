"""Train a network on a dataset: `python src/train.py model=resnet18 data=cifar10`; `--help` lists every choice."""

from typing import Any

from omegaconf import DictConfig

from cnnlab.cli.main import command


@command("train")
def main(cfg: DictConfig) -> Any:
    from cnnlab.runs.run import train

    return train(cfg)


if __name__ == "__main__":
    main()
