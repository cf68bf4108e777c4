"""`tune`."""

from omegaconf import DictConfig

from cnnlab.errors import UserError


def run(cfg: DictConfig) -> None:
    try:
        from cnnlab.search.study import tune
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise UserError("a search needs Optuna: pip install -e '.[search]'") from error
    tune(cfg)
