"""Search hyperparameters: `python src/tune.py model=resnet18 data=cifar10 search=sgd`; the spaces are conf/search."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("tune")
