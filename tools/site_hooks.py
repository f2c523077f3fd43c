"""What mkdocs asks while it builds the site: pages that stand elsewhere in the checkout, and their sections in pages.

A line `<!-- README.md: Notes -->` in a page stands for that section, `<!-- config/lalelu.yaml -->` for a whole file.
"""

import posixpath
import re
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).resolve().parent.parent
# files of the checkout that are pages of the site, by their names there
PAGES: Final = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "config/lalelu.yaml": "configuration.md",
    "systemd/README.md": "service.md",
}

_WANTED: Final = re.compile(r"^<!-- ([\w./-]+?)(?:: (.+))? -->$", re.MULTILINE)
_LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:  # noqa: ANN401 - mkdocs' own
    """Add the pages that stand elsewhere."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        if source.endswith(".md"):
            files.append(File.generated(config, page, content=moved(_read(source), source)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put in what a page asks for."""
    return filled(markdown)


def filled(markdown: str) -> str:
    """Return a page with its sections and files in it. Raises ValueError for one that there is not."""
    return _WANTED.sub(lambda wanted: _part(wanted[1], wanted[2]), markdown)


def moved(text: str, source: str) -> str:
    """Return the text of `source`, a file of the checkout, with its links as the site has them.

    What is no part of the site keeps its words and loses its link.
    """

    def link(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        path, mark, anchor = posixpath.normpath(posixpath.join(posixpath.dirname(source), target)).partition(
            "#"
        )
        page = PAGES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        return f"{picture}[{words}]({page}{mark}{anchor})" if page else words

    return _LINK.sub(link, text)


def _part(source: str, heading: str | None) -> str:
    text = _read(source)
    if heading is None:
        return f"```yaml\n{text.rstrip()}\n```"
    found = re.search(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"{source} has no section {heading!r}; a page of docs/ asks for it")
    return moved(found[0].rstrip(), source)


def _read(source: str) -> str:
    path = PROJECT / source
    if not path.is_file():
        raise ValueError(f"there is no {source} in the checkout; a page of docs/ asks for it")
    return path.read_text(encoding="utf-8")
