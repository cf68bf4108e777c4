"""Take a network apart: `python src/analyze.py model=vgg16`, `models=all`, or `checkpoint=PATH` for a trained one."""

from omegaconf import DictConfig

from cnnlab.cli.main import command


@command("analyze")
def main(cfg: DictConfig) -> None:
    from cnnlab.commands.analyze import analyze

    analyze(cfg)


if __name__ == "__main__":
    main()
