"""`tune`: a search for hyperparameters."""

import warnings

from hydra.core.hydra_config import HydraConfig

from cnnlab.build.objects import build_parts
from cnnlab.config.overrides import as_typed
from cnnlab.config.schema import TuneConfig
from cnnlab.errors import UserError


def run(cfg: TuneConfig) -> None:
    """Run the remaining trials of the study that `cfg` describes, and report the result.

    Raises:
        UserError: Optuna is missing, or the space does not fit the configuration, or no run could use it.
    """
    try:
        from optuna.exceptions import ExperimentalWarning

        from cnnlab.search.outcomes import end
        from cnnlab.search.plots import draw_study
        from cnnlab.search.space import read_space
        from cnnlab.search.study import Study, without_study_keys
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "optuna":
            raise
        raise UserError("a search needs Optuna: pip install -e '.[search]'") from error
    if cfg.fresh:
        raise UserError("fresh=true would train a study's runs again; start another study: log_dir=FOLDER")
    if (processes := cfg.trainer.devices * cfg.trainer.num_nodes) > 1:
        raise UserError(
            f"a search's trials have one process each, got {processes} (trainer.devices x trainer.num_nodes)"
        )
    hydra = HydraConfig.get()
    space, defaults = read_space(cfg.search or {}, cfg, hydra.runtime.choices)
    parts = build_parts(cfg)  # reports what is wrong with every trial before the first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # of Optuna's heartbeats
        overrides = without_study_keys(as_typed(hydra.overrides.task))
        study = Study(cfg, overrides, space, defaults, parts.data.dataset.fingerprint)
        study.run()
        for path in draw_study(study.study, study.folder, study.outcomes(), space, cfg.monitor):
            print(f"figure  {path}")
        end(cfg, study.folder, study.outcomes(), study.train)
