"""The documentation site: every page is in it, what pages ask for is there, and no link leads nowhere."""

import re
from xml.etree import ElementTree as ET

import pytest
import yaml

from lalelu.config.loader import load_kit, shipped_kits
from lalelu.kitpicture.svg import svg_of


@pytest.fixture
def hooks(project, monkeypatch):
    monkeypatch.syspath_prepend(project / "tools")
    import site_hooks

    return site_hooks


@pytest.fixture
def pages(project, hooks):
    """Every page of the site with its text, as mkdocs gets it."""
    texts = {path.name: hooks.filled(path.read_text()) for path in (project / "docs").glob("*.md")}
    moved = {page: source for source, page in hooks.PAGES.items() if source.endswith(".md")}
    return texts | {
        page: hooks.moved((project / source).read_text(), source) for page, source in moved.items()
    }


def entries(nav):
    for entry in nav:
        for value in entry.values():
            yield from entries(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_navigation_once(project, pages):
    nav = yaml.safe_load((project / "mkdocs.yml").read_text())["nav"]
    assert sorted(entries(nav)) == sorted(pages)


def test_every_link_and_picture_is_there(project, pages):
    lost = []
    for page, text in pages.items():
        prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            path = target.partition("#")[0]
            if path and path not in pages and not (project / "docs" / path).is_file():
                lost.append((page, target))
    assert lost == []


def test_what_a_page_asks_for_stands_in_it(hooks):
    text = hooks.filled("before\n\n<!-- README.md: Notes -->\n\nafter\n")
    assert text.startswith("before\n\n## Notes\n\n`note` takes")
    assert text.endswith("\n\nafter\n")
    assert text.count("## ") == 1
    assert "camera:" in hooks.filled("<!-- config/lalelu.yaml -->")


@pytest.mark.parametrize("wanted", ["<!-- README.md: No such section -->", "<!-- no/file.md -->"])
def test_a_page_that_asks_for_what_is_not_there_is_refused(hooks, wanted):
    with pytest.raises(ValueError, match=r"a page of docs/ asks for it"):
        hooks.filled(wanted)


def test_links_of_other_files_lead_to_the_pages_or_lose_themselves(hooks):
    text = "[a](docs/states.md) [b](systemd/README.md#look) [c](tools/soak.py) [d](https://x.org) ![e](docs/demo.jpg)"
    assert hooks.moved(text, "README.md") == (
        "[a](states.md) [b](service.md#look) c [d](https://x.org) ![e](demo.jpg)"
    )
    assert hooks.moved("[unit](lalelu.service.in)", "systemd/README.md") == "unit"


def test_the_kits_pictures_are_what_the_program_draws(project):
    pictures = project / "docs" / "pictures"
    for name in shipped_kits():
        text = (pictures / f"kit-{name}.svg").read_text()
        ET.fromstring(text)
        assert text == svg_of(load_kit(name, None)), "run: tools/make_doc_pictures.py --only kits"
