"""Take a network apart: `python src/analyze.py model=vgg16`, `models=all`, or `checkpoint=PATH` for a trained one."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("analyze")
