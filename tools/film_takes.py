"""Film simulated drummers with the real network, offline: a take and its truth per film, for tuning and tests.

python tools/film_takes.py OUT 'sim:?groove=rock&seed=1&seconds=30' [more films] [--model thunder] [--kit rock_pedals]
"""

import argparse
import re
from pathlib import Path

from lalelu.camera.port import ADAPTERS
from lalelu.camera.simulated.truth import hit_record
from lalelu.config.kit import KitConfig
from lalelu.config.loader import load_kit
from lalelu.config.schema import Config, PoseSection
from lalelu.hits import write_hits
from lalelu.pose.build import build_estimator
from lalelu.registry import from_uri
from lalelu.skeleton import name_of
from lalelu.take import TakeFrame, TakeHeader, TakeWriter
from lalelu.types import Frame


def film(uri: str, out: Path, model: str, kit: KitConfig) -> None:
    """Film one address (it must name `seconds`) as `kit` needs it; write NAME.take.gz and NAME.truth.jsonl to `out`."""
    camera = from_uri("camera", ADAPTERS, uri)
    frames = round(camera.options.seconds * camera.options.fps)
    estimator = build_estimator(Config(pose=PoseSection(model=model)), [kit])
    estimator.open()
    name = re.sub(r"[^a-z0-9.]+", "_", f"{model}_{uri.partition('?')[2]}".lower())
    width, height = (int(side) for side in camera.options.size.split("x"))
    header = TakeHeader(
        source=uri,
        fps=camera.options.fps,
        width=width,
        height=height,
        skeleton=name_of(estimator.skeleton),
        model=model,
    )
    with TakeWriter(out / f"{name}.take.gz", header) as take:
        for seq in range(frames):
            captured_ns = round(seq * camera.period_ns)
            estimator.prepare(Frame(seq, captured_ns, captured_ns, 0, camera.render(seq)))
            estimator.infer()
            take.write(TakeFrame(seq, captured_ns, tuple(estimator.poses())))
    estimator.close()
    truth = camera.truth(round((frames - 1) * camera.period_ns))
    write_hits(
        out / f"{name}.truth.jsonl",
        [hit_record(hit) for hit in truth],
    )
    print(f"{name}: {frames} frames, {len(truth)} strokes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("films", nargs="+")
    parser.add_argument("--model", default="lightning")
    parser.add_argument(
        "--kit", default="rock", help="a kit's name or file: one for feet shows them (default rock)"
    )
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for address in asked.films:
        film(address, asked.out, asked.model, load_kit(asked.kit, None))
