"""Names of keypoints, per skeleton, and virtual ones that are made of them. A limb is one of these names."""

from collections.abc import Mapping
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

SKELETONS: Final[dict[str, tuple[str, ...]]] = {"coco17": COCO17}

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
    }
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
