"""Time what this machine does: `python src/benchmark.py bench=train model=resnet18 data=cifar10`."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("benchmark")
