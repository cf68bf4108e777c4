"""Evaluate a trained network from its checkpoint alone: `python src/eval.py checkpoint=PATH`."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("eval")
