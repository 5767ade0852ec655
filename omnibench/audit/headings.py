"""Tell from a column's headings which dataset, metric and unit its numbers are of."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from omnibench.audit.markup import name, plain

MEAN, STD, SE = "mean", "std", "se"

_ACCURACY = re.compile(
    r"(overall )?acc(uracy)?\.?|(acc\.?|accuracy)? ?@?top-?1( acc(uracy)?)?\.?", re.I
)
_METRIC = re.compile(
    r"(?:(?:macro|micro|mean|balanced|weighted|avg|average|top-?[0-9]|overall|patient|image|m|w|b)"
    r"[- ]?)?(?:acc(?:uracy)?\.?|auc|auroc|roc[- ]auc|auprc|ap|map|f1(?:[- ]?score)?|dice|dsc|iou|"
    r"jaccard|nsd|bleu(?:-?[1-4])?|rouge(?:-?[12l])?|meteor|cider(?:-?d)?|bertscore|spice|hd(?:95)?|"
    r"assd|asd|msd|precision|recall|ppv|npv|sens(?:itivity)?\.?|spec(?:ificity)?\.?|kappa|qwk|mcc|"
    r"mse|rmse|psnr|ssim|r2|r²|ece|nll|brier|loss|error|fid|top-?[15]|score)(?:@[0-9.]+)?",
    re.IGNORECASE,
)
_LOWER = re.compile(r"hd(95)?|assd|asd|msd|mse|rmse|ece|nll|brier|loss|error|fid", re.IGNORECASE)
_OVERALL = re.compile(r"(macro |overall )?(avg|average|mean|overall|total|all)\.?", re.IGNORECASE)
_NO_SCORE = re.compile(
    r"(#|no\.? of|number of)? ?(params?|parameters|flops|gflops|macs|gmacs|size|year|ref|refs|"
    r"references?|input|input size|resolution|time|latency|memory|epochs?|venue|rank|avg\.? rank|"
    r"fps)\b.*|#|no\.?|p|p[- ]?values?|delta|Δ.*|improvement|gain",
    re.IGNORECASE,
)
_MODEL = re.compile(
    r"models?|methods?|backbones?|encoders?|networks?|architectures?", re.IGNORECASE
)
_DATASET = re.compile(r"datasets?|data sets?|benchmarks?", re.IGNORECASE)
_PARTS = {
    "std": STD, "sd": STD, "stdev": STD, "std dev": STD, "std. dev.": STD, "±": STD, "+-": STD,
    "se": SE, "sem": SE, "std error": SE, "standard error": SE, "mean": MEAN,
}  # fmt: skip


@dataclass(frozen=True)
class Heading:
    """What stands above a column.

    Attributes:
        dataset, metric: "" where the headings do not say.
        unit: "percent" where a sign says so, else "".
        lower: whether less is better: an arrow down or a metric such as a distance.
        arrow: whether an arrow says so.
        part: "mean", or "std" or "se" of the mean in a column beside it.
        overall: whether it is an average over the others.
    """

    dataset: str = ""
    metric: str = ""
    unit: str = ""
    lower: bool = False
    arrow: bool = False
    part: str = MEAN
    overall: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Return what a mean and its std in another column share."""
        return self.dataset, self.metric


def is_score(texts: Sequence[str]) -> bool:
    """Tell whether a column of numbers can be of a metric; numbers of parameters are of none."""
    return not any(_NO_SCORE.fullmatch(name(text)) for text in texts)


def names_models(texts: Sequence[str]) -> bool:
    """Tell whether headings say that models stand below."""
    return any(_MODEL.fullmatch(name(text)) for text in texts)


def names_datasets(texts: Sequence[str]) -> bool:
    """Tell whether headings say that datasets stand below."""
    return any(_DATASET.fullmatch(name(text)) for text in texts)


def is_spread(texts: Sequence[str]) -> bool:
    """Tell whether headings say that a std or a standard error stands below."""
    return heading(texts).part != MEAN


def heading(texts: Sequence[str], beside_spreads: bool = False) -> Heading:
    """Read a column's headings, from the top down.

    Args:
        beside_spreads: whether the table has columns of std, so that "mean" is no average over
            the others.
    """
    unit, arrow, part = "", "", MEAN
    names: list[str] = []
    for text in dict.fromkeys(texts):
        bare = plain(text)
        arrow = next((mark for mark in "↑↓" if mark in bare), arrow)
        if re.search(r"[(\[]\s*%\s*[)\]]|%\s*$", bare):
            unit = "percent"
        bare = re.sub(r"[(\[]\s*%\s*[)\]]|%\s*$|[↑↓]", " ", bare)
        bare = re.sub(
            r"[(\[]?\s*mean\s*(±|\+-|\+/-|\()\s*(std|sd|se|ci)\.?\s*\)?[)\]]?",
            " ",
            bare,
            flags=re.I,
        )
        bare = re.sub(r"[(\[]\s*(95 ?% ?)?CI\s*[)\]]", " ", bare)
        bare = name(re.sub(r"\(\s*\)", " ", bare))
        bare, part = _parted(bare, part, beside_spreads)
        if bare:
            names.append(bare)
    metric, dataset = _shared_out(list(dict.fromkeys(names)))
    lower = arrow == "↓" or (not arrow and bool(_LOWER.fullmatch(metric)))
    overall = bool(_OVERALL.fullmatch(dataset))
    return Heading(dataset, canonical(metric), unit, lower, bool(arrow), part, overall)


def canonical(metric: str) -> str:
    """Return "accuracy" for what is called so in many ways; other metrics as they are printed."""
    return "accuracy" if metric and _ACCURACY.fullmatch(metric) else metric


def _parted(text: str, part: str, beside_spreads: bool) -> tuple[str, str]:
    """Take "std" and the like off a heading: from "auc_std", "AUC (SD)" or "SD" alone."""
    word = text.casefold()
    if word in _PARTS and (word != "mean" or beside_spreads):
        return "", _PARTS[word]
    match = re.fullmatch(
        r"(.+?)[ _.-]*[ _(\[-]\s*(mean|std\.?|sd|sem|se)\s*[)\]]?", text, re.IGNORECASE
    )
    if match and match[1].strip():
        return match[1].strip(), _PARTS[match[2].rstrip(".").casefold()]
    return text, part


def _shared_out(names: list[str]) -> tuple[str, str]:
    """Return metric and dataset: the metric is what is called like one, else the lowest of two."""
    if not names:
        return "", ""
    metrics = [text for text in names if _METRIC.fullmatch(text)]
    if metrics:
        rest = [text for text in names if text != metrics[-1]]
        return metrics[-1], ", ".join(rest)
    for text in reversed(names):
        match = re.fullmatch(r"(.+?)\s*[(\[](.+)[)\]]", text) or re.fullmatch(
            r"(.+?)[ _:/-]+([^ _:/-]+)", text
        )
        if match and _METRIC.fullmatch(match[2].strip()):
            rest = [match[1].strip() if other == text else other for other in names]
            return match[2].strip(), ", ".join(rest)
    if len(names) > 1:
        return names[-1], ", ".join(names[:-1])
    return "", names[0]
