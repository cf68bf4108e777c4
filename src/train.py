"""Train a network on a dataset: `python src/train.py model=resnet18 data=cifar10`; `--help` lists every choice."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("train")
