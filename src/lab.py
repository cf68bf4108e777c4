"""The study notes' experiments: `python src/lab.py lab=edges`, or `lab=all`."""

from omegaconf import DictConfig

from cnnlab.cli.main import command


@command("lab")
def main(cfg: DictConfig) -> None:
    from cnnlab.lab.notebook import run_lab

    run_lab(cfg)


if __name__ == "__main__":
    main()
