"""`lalelu schema [config|kit]`: print the JSON schema that editors use to complete and check. Prints."""

import argparse
import json
from typing import Final

from pydantic import BaseModel

from lalelu.config.kit import KitConfig
from lalelu.config.schema import Config

MODELS: Final[dict[str, type[BaseModel]]] = {"config": Config, "kit": KitConfig}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "what", nargs="?", choices=sorted(MODELS), default="config", help="of which file (default: config)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the schema of lalelu.yaml or of a kit."""
    print(json.dumps(MODELS[args.what].model_json_schema(), indent=2))
    return 0
