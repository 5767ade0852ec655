"""All figures of a study, each only where its data exist."""

from collections.abc import Iterator

from omnibench.report.figures.answers import classified
from omnibench.report.figures.class_f1 import class_f1
from omnibench.report.figures.confusion import confusion
from omnibench.report.figures.curves import learning_curves
from omnibench.report.figures.drawing import Drawing
from omnibench.report.figures.forest import forests
from omnibench.report.figures.pareto import paretos
from omnibench.report.figures.ranks import rank_diagrams
from omnibench.report.figures.reliability import reliability
from omnibench.report.figures.seeds import seed_scatters
from omnibench.report.study import Study


def drawings(study: Study) -> Iterator[Drawing]:
    """Yield what can be drawn; nothing is drawn yet."""
    yield from forests(study)
    yield from rank_diagrams(study)
    yield from seed_scatters(study)
    yield from paretos(study)
    for found in classified(study):
        for drawing in (confusion(found), class_f1(found), reliability(found)):
            if drawing is not None:
                yield drawing
    yield from learning_curves(study)
