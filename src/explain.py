"""Explain a trained network and its predictions: `python src/explain.py checkpoint=PATH`."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("explain")
