"""Write a page that shows a trained network at work: `python src/explore.py checkpoint=RUN`; then open the file."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("explore")
