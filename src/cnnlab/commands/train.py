"""`train`: one run, trained, tested and recorded."""

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from cnnlab.config.schema import TrainConfig
from cnnlab.errors import UserError
from cnnlab.runs.folder import Record
from cnnlab.runs.run import train


def run(cfg: TrainConfig) -> Record:
    """Train the run that `cfg` describes, alone or as a job of a sweep.

    Raises:
        UserError: the configuration, the data, the machine or the run folder does not allow it.
    """
    is_sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    if cfg.trainer.num_nodes > 1 and is_sweep:
        raise UserError("a sweep's jobs run on one node, got trainer.num_nodes above 1; give each job its own command")
    return train(cfg)
