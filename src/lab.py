"""The study notes' experiments: `python src/lab.py lab=edges`, or `lab=all`."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("lab")
