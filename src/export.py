"""Write a trained network for other programs: `python src/export.py checkpoint=RUN`; `--help` lists every key."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("export")
