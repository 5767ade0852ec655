"""What mkdocs builds besides the pages of docs/: what lies elsewhere, and the reference."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site.pages import pages

ROOT = Path(__file__).parents[2]
# What pages link to outside of docs/, and where it stands in the site.
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CITATION.cff": "CITATION.cff",
    "results/published/README.md": "reference/published.md",
    **{
        path.relative_to(ROOT).as_posix(): path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "examples").rglob("*"))
        if path.suffix in (".py", ".toml", ".yaml")
    },
}
LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)#\s]+)(?=[)#])")
FETCHED = re.compile(
    r"""(?:<(?:script|img|iframe)\b[^>]*\bsrc|<link\b[^>]*\bhref)="?(?:https?:)?//"""
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for source, place in ELSEWHERE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for name, text in pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page whose links lead to where things stand in the site."""
    places = {place: source for source, place in ELSEWHERE.items()}
    source = ROOT / places.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    up = "../" * page.file.src_uri.count("/")

    def led(link: re.Match[str]) -> str:
        target = (source.parent / link[1]).resolve()
        if not target.is_relative_to(ROOT):
            return link[1]
        inside = target.relative_to(ROOT).as_posix()
        return up + ELSEWHERE.get(inside, inside.removeprefix("docs/"))

    return LINK.sub(led, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that asks the network for anything when it is read."""
    for path in sorted(Path(config.site_dir).rglob("*.html")):
        if fetched := FETCHED.search(path.read_text(encoding="utf-8")):
            raise PluginError(f"{path} loads {fetched[0]}... from the network")
