"""Search hyperparameters: `python src/tune.py model=resnet18 data=cifar10 search=sgd`; the spaces are conf/search."""

from omegaconf import DictConfig

from cnnlab.cli.main import command


@command("tune")
def main(cfg: DictConfig) -> None:
    from cnnlab.errors import UserError

    try:
        from cnnlab.search.study import tune
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise UserError("a search needs Optuna: pip install -e '.[search]'") from error
    tune(cfg)


if __name__ == "__main__":
    main()
