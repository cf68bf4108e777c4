"""A table of the runs below a folder, by what they differ in: `python src/report.py log_dir=logs sort=-test/acc`."""

from omegaconf import DictConfig

from cnnlab.cli.main import command


@command("report")
def main(cfg: DictConfig) -> None:
    from cnnlab.commands.report import report

    report(cfg)


if __name__ == "__main__":
    main()
