"""A page as its reader meets it: elements, texts, and what each value tells."""

import json
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "img", "input", "br"}


class Document(HTMLParser):
    """Elements as (tag, attributes, text), and whether every one was closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.broken = list[Any](), list[Any](), list[Any]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        item = (tag, dict(attrs), list[Any]())
        self.elements.append(item)
        if tag not in VOID:
            self.open.append(item)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not self.open or self.open.pop()[0] != tag:
            self.broken.append(tag)

    def handle_data(self, data: str) -> None:
        for _, _, texts in self.open:
            texts.append(data)

    def all(self, *tags: str) -> list[Any]:
        return [element for element in self.elements if element[0] in tags]

    def details(self) -> list[str]:
        """What each value tells, its sentences joined."""
        (block,) = [texts for _, a, texts in self.all("script") if a.get("id") == "sentences"]
        sentences = json.loads("".join(block))
        return [
            " ".join(sentences[int(number)] for number in a["data-details"].split())
            for _, a, _ in self.all("td")
            if "data-details" in a
        ]

    def texts(self, *tags: str) -> list[str]:
        return [" ".join("".join(texts).split()) for _, _, texts in self.all(*tags)]
