"""A table of the runs below a folder: `python src/report.py log_dir=logs format=markdown`."""

from omegaconf import DictConfig

from cnnlab.cli import command


@command("report")
def main(cfg: DictConfig) -> None:
    from cnnlab.runs.collecting import report

    report(cfg)


if __name__ == "__main__":
    main()
