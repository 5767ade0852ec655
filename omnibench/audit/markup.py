"""Strip a table's cell of its markup: LaTeX, Markdown and HTML, down to what a reader sees."""

import html
import re
import unicodedata

MARKS = "†‡§¶*\u2217⋆★☆•✓✔▲▼↑↓\u204e"
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉᶠᵍ]+")

_SYMBOLS = {
    "pm": "±", "textpm": "±", "dagger": "†", "dag": "†", "textdagger": "†", "ddagger": "‡",
    "ddag": "‡", "textdaggerdbl": "‡", "ast": "*", "textasteriskcentered": "*", "star": "*",
    "bigstar": "*", "bullet": "•", "S": "§", "P": "¶", "uparrow": "↑", "downarrow": "↓",
    "textuparrow": "↑", "textdownarrow": "↓", "times": "\u00d7", "textendash": "\u2013",
    "textemdash": "—",
    "textminus": "-", "textbackslash": "\\", "quad": " ", "qquad": " ", "space": " ",
    "checkmark": "✓", "dots": "…", "ldots": "…", "cdot": "·", "sim": "~",
}  # fmt: skip
# Escaped characters that would else be taken for markup: private ones stand in for them.
_HELD = {"$": "\ue000", "_": "\ue001"}
_SWITCHES = (
    "tiny|scriptsize|footnotesize|small|normalsize|large|bf|bfseries|it|itshape|em|rm|sf|tt|sc|"
    "boldmath|mathstrut|strut|centering|raggedright|displaystyle|textstyle|relax|null|left|right|"
    "hfill|hfil|protect|noindent|arraybackslash|indent"
)
_FONTS = (
    "textbf|textit|textrm|textsf|texttt|textsc|textmd|textnormal|text|emph|underline|uline|"
    "uuline|mathbf|mathit|mathrm|mathsf|boldsymbol|bm|num|mbox|hbox|underbar|dashuline"
)
_GROUP = r"\s*\{([^{}]*)\}"
_OPTION = r"\s*(?:\[[^\]]*\])?"
# In this order, again and again from the innermost braces outwards.
_COMMANDS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (rf"\\textsuperscript{_GROUP}", r"^\1 "),
        (rf"\\textsubscript{_GROUP}", r"\1"),
        (
            r"\\(?:cite\w*|footnote|footnotemark|footnotetext|label|ref|tnote|[hv]space\*?|"
            r"[hv]?phantom|rowcolor|cellcolor|columncolor|color|addlinespace)"
            rf"{_OPTION}{_GROUP}",
            "",
        ),
        (rf"\\rule{_OPTION}{_GROUP}{_GROUP}", ""),
        (
            rf"\\(?:textcolor|colorbox|rotatebox|scalebox|raisebox|parbox){_OPTION}{_GROUP}"
            rf"{_OPTION}{_GROUP}",
            r"\2",
        ),
        (rf"\\resizebox{_GROUP}{_GROUP}{_GROUP}", r"\3"),
        (rf"\\(?:{_FONTS})(?![a-zA-Z]){_GROUP}", r"\1"),
        (r"\^\{([^{}]*)\}", r"^\1 "),
        (r"_\{([^{}]*)\}", r"\1"),
        (rf"\\[a-zA-Z]+\*?{_OPTION}{_GROUP}", r" \1 "),  # an unknown one parts its neighbours
        (r"\{([^{}]*)\}", r"\1"),
    )
)


def plain(text: str) -> str:
    """Return a cell's text without markup, its spaces and minus signs made ordinary."""
    text = _tags(html.unescape(text))
    text = "".join(" " if unicodedata.category(c) in ("Zs", "Cc") else c for c in text)
    text = re.sub("[\u200b\u200c\u200d\u2060\ufeff\u00ad]", "", text)
    text = re.sub("[\u2212\u2010\u2011\ufe63\uff0d]", "-", text)
    if "\\" in text or "$" in text or "{" in text:
        text = _latex(text)
    text = re.sub(r"\[([^\]]*)\]\((?:https?:|#|/|\./)[^)]*\)", r"\1", text)
    text = re.sub(r"\\([*_|#`~<>\[\]()-])", r"\1", text)
    for mark in ("***", "**", "__", "~~", "`", "*", "_"):
        text = text.strip()
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            text = text[len(mark) : -len(mark)]
    return " ".join(text.split())


def name(text: str) -> str:
    """Return the name that a cell holds, without the marks of footnotes behind it."""
    text = re.sub(r"\^\S*", "", plain(text)).replace("**", "")
    return _SUPERSCRIPTS.sub("", text).strip(MARKS + " ") if text.strip(MARKS + " ") else ""


def unmarked(text: str) -> str:
    """Return a plain text of numbers without footnote marks; a superscript number stays."""
    text = re.sub(r"\^\s*±", " ±", text)
    text = re.sub(r"\^(?:[0-9](?![0-9.,])|[a-zA-Z,]+|[" + MARKS + r"]+)", "", text)
    return _SUPERSCRIPTS.sub("", text).replace("**", "").strip(MARKS + " _")


def _tags(text: str) -> str:
    text = re.sub(r"<sup>\s*([^<]*)</sup>", r"^\1 ", text, flags=re.IGNORECASE)
    text = re.sub(r"<br\s*/?>", " ", text, flags=re.IGNORECASE)
    return re.sub(r"</?[a-zA-Z][^<>]*>", "", text)


def _latex(text: str) -> str:
    text = re.sub(r"\\([%&#$_])", lambda match: _HELD.get(match[1], match[1]), text)
    text = text.replace("$", "").replace(r"\\", " ")
    text = re.sub(r"\\[,;:! ]|~|\\/", " ", text)
    text = re.sub(
        r"\\([a-zA-Z]+)(?![a-zA-Z])",
        lambda match: _SYMBOLS.get(match[1], match[0]),
        text,
    )
    text = re.sub(rf"\\(?:{_SWITCHES})(?![a-zA-Z])", "", text)
    before = ""
    while before != text:
        before = text
        for pattern, replacement in _COMMANDS:
            changed = pattern.sub(replacement, text)
            if changed != text:
                text = changed
                break
    text = re.sub(r"_\s*±", " ±", text)
    for character, stand_in in _HELD.items():
        text = text.replace(stand_in, character)
    return text
