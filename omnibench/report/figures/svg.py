"""Matplotlib's SVG made small, and so that several of them stand in one page."""

import re
from xml.etree import ElementTree

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
HREF = f"{{{XLINK}}}href"
# The letters' widths are those of the first; where it is absent the next are narrower or as wide.
FONTS = "'DejaVu Sans', Verdana, Arial, sans-serif"
COORDINATES = ("d", "x", "y", "width", "height", "transform", "points")
LONG = re.compile(r"(\d+\.\d\d)\d+")
POINTER = re.compile(r"url\(#([^)]+)\)")
UPRIGHT = re.compile(r"^rotate\(-?0 ")
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")  # by XML


def tidied(written: bytes) -> bytes:
    """Return an SVG without prolog, style sheet, unused ids and empty groups.

    Its numbers have two decimals of a point, its texts are texts in one family of fonts. Ids that
    are left are those that matplotlib salted.

    Args:
        written: by matplotlib, in UTF-8.
    """
    for prefix, address in (("", SVG), ("xlink", XLINK)):
        ElementTree.register_namespace(prefix, address)
    root = ElementTree.fromstring(FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", written.decode()))
    used = _used(root)
    for element in root.iter():
        _shorten(element, used)
    _flatten(root)
    # Both were rules of a style sheet, which would hold for a whole page.
    root.set("style", f"stroke-linejoin:round;font-family:{FONTS}")
    text: bytes = ElementTree.tostring(root, encoding="utf-8")
    return text


def _used(root: ElementTree.Element) -> set[str]:
    ids: set[str] = set()
    for element in root.iter():
        for name, value in element.items():
            ids.update(POINTER.findall(value))
            if name == HREF and value.startswith("#"):
                ids.add(value[1:])
    return ids


def _shorten(element: ElementTree.Element, used: set[str]) -> None:
    if element.get("id") not in used:
        element.attrib.pop("id", None)
    for name in COORDINATES:
        if name in element.attrib:
            element.set(name, LONG.sub(r"\1", element.attrib[name].replace("\n", "")))
    if UPRIGHT.match(element.get("transform", "")):
        del element.attrib["transform"]
    if "style" in element.attrib:
        rules = [rule.strip() for rule in element.attrib["style"].split(";")]
        rules = [rule.replace(": ", ":") for rule in rules if not rule.startswith("font-family")]
        element.set("style", ";".join(rules))
    if element.tag != f"{{{SVG}}}text":
        element.text = None
    element.tail = None


def _flatten(parent: ElementTree.Element) -> None:
    """Put what stands in groups without attributes into their parents."""
    children: list[ElementTree.Element] = []
    for child in parent:
        _flatten(child)
        if child.tag == f"{{{SVG}}}style":
            continue
        bare = child.tag in (f"{{{SVG}}}g", f"{{{SVG}}}defs") and not child.attrib
        if child.tag == f"{{{SVG}}}defs" and len(child):
            bare = False
        children.extend(child if bare else [child])
    parent[:] = children
