"""The images of a dataset before training: `python src/show.py data=cifar10 augment=crop_flip`."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("show")
