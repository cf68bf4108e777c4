"""A table of the runs below a folder, by what they differ in: `python src/report.py log_dir=logs sort=-test/acc`."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("report")
