"""omnibench: a benchmark and evaluation harness for vision backbones in radiology.

Every name that a notebook or an extension needs is here, and is imported on its first use, so that
`import omnibench` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from omnibench import errors

if TYPE_CHECKING:
    from omnibench.adapt.map_model import MapAnswers, MapInputs, MapModel
    from omnibench.adapt.trainable import Trainable, attach, blank_embedding
    from omnibench.api import Plan, compare, load_encoder, plan, results, run
    from omnibench.cards import BackboneCard, DatasetCard
    from omnibench.catalogue import (
        register_adaptation,
        register_backbone,
        register_column,
        register_dataset,
        register_figure,
        register_metric,
        register_reader,
        register_task,
    )
    from omnibench.cell import Unit
    from omnibench.context import Context
    from omnibench.data import (
        ArrayImages,
        Dataset,
        Images,
        Labels,
        Maps,
        Masks,
        Numbers,
        Reader,
        Split,
        Target,
        Texts,
        local_card,
    )
    from omnibench.data.subset import unit_dataset
    from omnibench.data.views import view_splits
    from omnibench.encoders import Encoder, MapEncoder, TrainableEncoder
    from omnibench.encoders.build import load_trainable
    from omnibench.encoders.frozen import unit_features
    from omnibench.encoders.levels import levels_of
    from omnibench.encoders.maps import unit_maps
    from omnibench.engines import Engine, register_engine
    from omnibench.engines.worker import run_due, set_up
    from omnibench.execute import Finished, execute_unit, fail_unit
    from omnibench.exporters import Exporter, register_exporter
    from omnibench.leases import Leases
    from omnibench.options import DatasetReference, LocalPath, WatchedBy
    from omnibench.recipe import Recipe
    from omnibench.report.columns import FurtherColumn, RowFacts
    from omnibench.report.figures.drawing import Drawing, Figure
    from omnibench.report.study import Study
    from omnibench.samples import CaseAnswers
    from omnibench.scoring import score
    from omnibench.task import (
        Adaptation,
        Chance,
        Metric,
        Outcome,
        Predictions,
        Task,
        metrics_of_pass,
    )
    from omnibench.training.flops import Flops
    from omnibench.training.job import Batch
    from omnibench.training.loop import Fitted
    from omnibench.training.plan import TrainingRecipe
    from omnibench.training.trained_network import Network
    from omnibench.training.trial import Trial

__version__ = "0.2.0"

# Module -> the names that are imported from it.
_NAMES = {
    "omnibench.adapt.map_model": "MapAnswers MapInputs MapModel",
    "omnibench.adapt.trainable": "Trainable attach blank_embedding",
    "omnibench.api": "Plan compare load_encoder plan results run",
    "omnibench.cards": "BackboneCard DatasetCard",
    "omnibench.catalogue": "register_adaptation register_backbone register_column "
    "register_dataset register_figure register_metric register_reader register_task",
    "omnibench.cell": "Unit",
    "omnibench.context": "Context",
    "omnibench.data": "ArrayImages Dataset Images Labels Maps Masks Numbers Reader Split "
    "Target Texts local_card",
    "omnibench.data.subset": "unit_dataset",
    "omnibench.data.views": "view_splits",
    "omnibench.encoders": "Encoder MapEncoder TrainableEncoder",
    "omnibench.encoders.build": "load_trainable",
    "omnibench.encoders.frozen": "unit_features",
    "omnibench.encoders.levels": "levels_of",
    "omnibench.encoders.maps": "unit_maps",
    "omnibench.engines": "Engine register_engine",
    "omnibench.engines.worker": "run_due set_up",
    "omnibench.execute": "Finished execute_unit fail_unit",
    "omnibench.exporters": "Exporter register_exporter",
    "omnibench.leases": "Leases",
    "omnibench.options": "DatasetReference LocalPath WatchedBy",
    "omnibench.recipe": "Recipe",
    "omnibench.report.columns": "FurtherColumn RowFacts",
    "omnibench.report.figures.drawing": "Drawing Figure",
    "omnibench.report.study": "Study",
    "omnibench.task": "Adaptation Chance Metric Outcome Predictions Task metrics_of_pass",
    "omnibench.samples": "CaseAnswers",
    "omnibench.scoring": "score",
    "omnibench.training.flops": "Flops",
    "omnibench.training.job": "Batch",
    "omnibench.training.trained_network": "Network",
    "omnibench.training.loop": "Fitted",
    "omnibench.training.plan": "TrainingRecipe",
    "omnibench.training.trial": "Trial",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "Adaptation",
    "ArrayImages",
    "BackboneCard",
    "Batch",
    "CaseAnswers",
    "Chance",
    "Context",
    "Dataset",
    "DatasetCard",
    "DatasetReference",
    "Drawing",
    "Encoder",
    "Engine",
    "Exporter",
    "Figure",
    "Finished",
    "Fitted",
    "Flops",
    "FurtherColumn",
    "Images",
    "Labels",
    "Leases",
    "LocalPath",
    "MapAnswers",
    "MapEncoder",
    "MapInputs",
    "MapModel",
    "Maps",
    "Masks",
    "Metric",
    "Network",
    "Numbers",
    "Outcome",
    "Plan",
    "Predictions",
    "Reader",
    "Recipe",
    "RowFacts",
    "Split",
    "Study",
    "Target",
    "Task",
    "Texts",
    "Trainable",
    "TrainableEncoder",
    "TrainingRecipe",
    "Trial",
    "Unit",
    "WatchedBy",
    "attach",
    "blank_embedding",
    "compare",
    "errors",
    "execute_unit",
    "fail_unit",
    "levels_of",
    "load_encoder",
    "load_trainable",
    "local_card",
    "metrics_of_pass",
    "plan",
    "register_adaptation",
    "register_backbone",
    "register_column",
    "register_dataset",
    "register_engine",
    "register_exporter",
    "register_figure",
    "register_metric",
    "register_reader",
    "register_task",
    "results",
    "run",
    "run_due",
    "score",
    "set_up",
    "unit_dataset",
    "unit_features",
    "unit_maps",
    "view_splits",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'omnibench' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
