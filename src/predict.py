"""Predict the classes of image files: `python src/predict.py checkpoint=PATH images=FILE,FOLDER`."""

from cnnlab.cli.start import main

if __name__ == "__main__":
    main("predict")
