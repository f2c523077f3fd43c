"""Names of keypoints, per skeleton, and virtual ones that are made of them. A limb is one of these names."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Final

COCO17: Final[tuple[str, ...]] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

# The MPII Human Pose dataset's joints in its order; those that COCO has too are called as there.
MPII16: Final[tuple[str, ...]] = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "pelvis",
    "thorax",
    "upper_neck",
    "head_top",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
)


def _pairs(*names: str) -> tuple[str, ...]:
    return tuple(chain.from_iterable((f"left_{name}", f"right_{name}") for name in names))


# MediaPipe's pose landmarks in their order, by their names; but its mouth_left is `left_mouth` here, so that every
# side stands in front. Eyes: the corners at the nose (inner) and at the temple (outer).
BLAZEPOSE33: Final[tuple[str, ...]] = (
    "nose",
    *(f"{side}_{part}" for side in ("left", "right") for part in ("eye_inner", "eye", "eye_outer")),
    *_pairs("ear", "mouth", "shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
    *_pairs("hip", "knee", "ankle", "heel", "foot_index"),
)

# MediaPipe's landmarks of one hand in their order, from the wrist; a side stands in front: `right_index_tip`.
# Joints from the palm outwards: mcp, pip, dip, tip; the thumb's: cmc, mcp, ip, tip.
HAND21: Final[tuple[str, ...]] = (
    "wrist",
    *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")),
    *(
        f"{finger}_{joint}"
        for finger in ("index", "middle", "ring", "pinky")
        for joint in ("mcp", "pip", "dip", "tip")
    ),
)
HANDS42: Final[tuple[str, ...]] = tuple(f"{side}_{name}" for side in ("left", "right") for name in HAND21)
# What hand networks add to a body that has wrists, whose skeleton's name then ends so.
FINGERED: Final = "_fingers"
FINGERS40: Final[tuple[str, ...]] = tuple(name for name in HANDS42 if not name.endswith("_wrist"))

SKELETONS: Final[dict[str, tuple[str, ...]]] = {
    "coco17": COCO17,
    "mpii16": MPII16,
    "blazepose33": BLAZEPOSE33,
    "hands42": HANDS42,
    f"coco17{FINGERED}": (*COCO17, *FINGERS40),
    f"blazepose33{FINGERED}": (*BLAZEPOSE33, *FINGERS40),
}
MOST_KEYPOINTS: Final = max(map(len, SKELETONS.values()))
# Every keypoint that some skeleton has, COCO's first.
EVERY_KEYPOINT: Final[tuple[str, ...]] = tuple(dict.fromkeys(chain.from_iterable(SKELETONS.values())))

# How far the middle of a hand lies beyond the wrist, in forearms (Simon and others 2017, hands found by their wrists).
_HAND: Final = 0.33


def _middle(name: str) -> dict[str, float]:
    return {f"left_{name}": 0.5, f"right_{name}": 0.5}


def _hand(side: str) -> dict[str, float]:
    return {f"{side}_wrist": 1.0 + _HAND, f"{side}_elbow": -_HAND}


# Virtual keypoints: weighted sums of others, the weights add up to 1.
VIRTUAL: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "head": {"nose": 0.2, "left_eye": 0.2, "right_eye": 0.2, "left_ear": 0.2, "right_ear": 0.2},
        "mid_shoulder": _middle("shoulder"),
        "mid_hip": _middle("hip"),
        "mid_wrist": _middle("wrist"),
        "mid_knee": _middle("knee"),
        "left_hand": _hand("left"),
        "right_hand": _hand("right"),
        # as a drummer says: the tip of the foot, where the skeleton has one
        "left_toe": {"left_foot_index": 1.0},
        "right_toe": {"right_foot_index": 1.0},
    }
)


def virtual_of(skeleton: Iterable[str]) -> tuple[str, ...]:
    """Return the virtual keypoints that this skeleton's can make."""
    there = set(skeleton)
    return tuple(name for name, parts in VIRTUAL.items() if there.issuperset(parts))


def name_of(keypoints: Sequence[str]) -> str:
    """Return the name of the skeleton with these keypoints."""
    (name,) = (name for name, known in SKELETONS.items() if known == tuple(keypoints))
    return name


def having(names: Iterable[str]) -> tuple[str, ...]:
    """Return the skeletons that have all of these keypoints, of their own or virtual; fingers only where needed."""
    wanted = set(names)
    found = [
        name for name, keypoints in SKELETONS.items() if wanted.issubset((*keypoints, *virtual_of(keypoints)))
    ]
    return tuple(
        name for name in found if name.removesuffix(FINGERED) not in found or not name.endswith(FINGERED)
    )


def mirrored(name: str) -> str:
    """Return the other side's name: `left_wrist` for `right_wrist`; names without a side are unchanged."""
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


# Pairs of keypoints joined by a drawn bone.
COCO17_BONES: Final[tuple[tuple[str, str], ...]] = (
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
    ("left_hip", "right_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("nose", "left_shoulder"),
    ("nose", "right_shoulder"),
)
