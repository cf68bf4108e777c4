"""Evaluate a trained network from its checkpoint alone: `python src/eval.py checkpoint=PATH`."""

from omegaconf import DictConfig

from cnnlab.cli.main import command


@command("eval")
def main(cfg: DictConfig) -> None:
    from cnnlab.runs.evaluation import evaluate

    evaluate(cfg)


if __name__ == "__main__":
    main()
