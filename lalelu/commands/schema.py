"""`lalelu schema [config|kit]`: print the JSON schema that editors use to complete and check. Reads files, prints."""

import argparse
import json
from typing import Final

from pydantic import BaseModel

from lalelu.config.json_schema import editor_schema
from lalelu.config.kit import KitConfig
from lalelu.config.kit_options import KIT_OPTIONS
from lalelu.config.loader import shipped_dir
from lalelu.config.schema import Config

MODELS: Final[dict[str, tuple[type[BaseModel], str]]] = {
    "config": (Config, "lalelu.yaml"),
    "kit": (KitConfig, "a kit for lalelu"),
}
_EXAMPLES: Final = (
    "vocabulary",
    "gestures",
)  # the kits that show every option, whose examples go before others


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "what", nargs="?", choices=sorted(MODELS), default="config", help="of which file (default: config)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the schema of lalelu.yaml or of a kit, as config/schema/ holds it."""
    print(written(args.what))
    return 0


def written(what: str) -> str:
    """Return the schema of `what`, a key of MODELS, as JSON text."""
    model, title = MODELS[what]
    paths = [shipped_dir() / "lalelu.yaml"]
    if what == "kit":
        kits = shipped_dir() / "kits"
        rest = sorted(path for path in kits.glob("*.yaml") if path.stem not in _EXAMPLES)
        paths = [*(kits / f"{name}.yaml" for name in _EXAMPLES), *rest]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    options = KIT_OPTIONS if what == "kit" else {}
    return json.dumps(editor_schema(model, what, title, texts, options), indent=2)
