"""What networks are shown when they are compared: a square around each person. Reads photos, films and labels."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from lalelu.camera.film import Film
from lalelu.camera.port import ADAPTERS
from lalelu.camera.simulated.film import Film as SimulatedFilm
from lalelu.camera.simulated.film import FilmSettings
from lalelu.camera.simulated.scene import LOOKS
from lalelu.errors import UsageError
from lalelu.models.variant import Network
from lalelu.pose.body import torso_at
from lalelu.pose.crop import Crop, CropFollower, whole
from lalelu.pose.orientation import Orientation
from lalelu.pose.sampling import Sampler
from lalelu.registry import from_uri
from lalelu.skeleton import COCO17

PHOTOS: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MOST: Final = 96  # pictures that are taken of a film, evenly
SIMULATED_SIZE: Final = (640, 480)  # px, of the pictures of `sim:` alone
SIMULATED_S: Final = 12.0  # of the simulated drummer's playing, over which the pictures are spread
PERSON_SCORE: Final = 0.2  # of the weaker shoulder, below which a picture without labels counts as empty
# The root of a person's area in shoulder widths: an adult of 1.75 m covers about 0.55 m2, with shoulder joints 0.36 m
# apart.
AREA_ROOT: Final = 2.0
# MoveNet's own square reaches from the hips 1.9 times as far as the torso, and 1.2 times as far as the body (its
# model card's tutorial); where hips are not labelled, half as far again as COCO's box.
TORSO_REACH: Final = 1.9
BODY_REACH: Final = 1.2
BOX_REACH: Final = 0.75
_HIPS: Final = [COCO17.index(name) for name in ("left_hip", "right_hip")]
_TORSO: Final = [*_HIPS, COCO17.index("left_shoulder"), COCO17.index("right_shoulder")]


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo or a film's frame, (H, W, 3) BGR."""

    name: str
    image: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose keypoints people labelled. px of the photo."""

    keypoints: NDArray[np.float64]  # (17, 3): x, y, mark (0 = not labelled)
    area: float  # px2
    box: tuple[float, float, float, float]  # left, top, width, height


@dataclass(frozen=True, slots=True)
class Look:
    """One square picture of one person."""

    name: str
    picture: NDArray[np.uint8]  # (S, S, 3) BGR
    crop: Crop  # where it was cut
    height: int  # px, of the whole picture
    size: float  # px: the root of the person's area
    label: NDArray[np.float64] | None  # (17, 3) px and mark


def pictures(source: str, size: tuple[int, int] = SIMULATED_SIZE) -> Iterator[Picture]:
    """Yield what `source` shows: all photos of a folder, or frames of a film, or of `sim:`, spread evenly.

    `sim:` alone films every look from several sides, in pictures of `size` (width, height).
    Raises UsageError where there is nothing to see.
    """
    if source.startswith("sim:"):
        yield from _simulated(source, size)
    elif Path(source).is_dir():
        names = sorted(path for path in Path(source).iterdir() if path.suffix.lower() in PHOTOS)
        if not names:
            raise UsageError(f"{source} has no photo in it; put {', '.join(sorted(PHOTOS))} files there")
        for path in names:
            image = cv2.imread(str(path))
            if image is None:
                raise UsageError(
                    f"photo {path} cannot be decoded; it is damaged, or take it out of the folder"
                )
            yield Picture(path.name, image.astype(np.uint8, copy=False))
    else:
        yield from _filmed(Path(source))


def _filmed(path: Path) -> Iterator[Picture]:
    with Film(path) as film:
        step = max(1, film.promised // MOST)
        seq = 0
        while film.grab() is not None:
            if seq % step == 0:
                yield Picture(f"{path.name} frame {seq}", film.retrieve().copy())
            seq += 1


def _simulated(source: str, size: tuple[int, int]) -> Iterator[Picture]:
    if source != "sim:":
        films = [from_uri("camera", ADAPTERS, source).options.film]
    else:
        films = [
            FilmSettings(
                look=look,
                seed=seed,
                distance=2.0 + 0.5 * seed,
                angle=15.0 * (seed % 3 - 1),
                width=size[0],
                height=size[1],
            )
            for seed, look in enumerate(LOOKS)
        ]
    each = MOST // len(films)
    for settings in films:
        film = SimulatedFilm(settings)
        for at in range(each):
            image = np.empty((settings.height, settings.width, 3), np.uint8)
            seq = round(at * SIMULATED_S * settings.fps / each)
            film.render(seq, image)
            yield Picture(f"sim {settings.look} frame {seq}", image)


def read_people(path: Path) -> dict[str, list[Person]]:
    """Read COCO's keypoint labels: people by the photo's file name. Raises UsageError for another kind of file."""
    try:
        data: dict[str, Any] = json.loads(path.read_text())
        names = {image["id"]: image["file_name"] for image in data["images"]}
        people: dict[str, list[Person]] = {}
        for each in data["annotations"]:
            keypoints = np.array(each.get("keypoints", ()), np.float64).reshape(-1, 3)
            if len(keypoints) == len(COCO17) and keypoints[:, 2].any() and not each.get("iscrowd"):
                left, top, width, height = map(float, each["bbox"])
                person = Person(keypoints, float(each["area"]), (left, top, width, height))
                people.setdefault(names[each["image_id"]], []).append(person)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise UsageError(
            f"{path} holds no people ({exc}); give a person_keypoints file in COCO's format"
        ) from exc
    return people


def looks(source: str, reference: Network, people: dict[str, list[Person]] | None = None) -> list[Look]:
    """Return a square around each labelled person; without labels, around whom the reference sees.

    `reference` is open. Raises UsageError when nobody is found.
    """
    shown = Viewer(reference)
    found: list[Look] = []
    for picture in pictures(source):
        if people is None:
            found += [look for look in (shown.close_up(picture),) if look is not None]
        else:
            found += [
                shown.labelled(picture, person, number)
                for number, person in enumerate(people.get(picture.name, ()), 1)
            ]
    if not found:
        which = "seen in" if people is None else "labelled for the photos in"
        raise UsageError(f"nobody is {which} {source}; give pictures with people in them")
    return found


class Viewer:
    """Cuts squares for one network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._sampler = Sampler(network.side, Orientation(), bgr=True)

    def whole(self, picture: Picture) -> Look:
        """Return the whole picture, as the network is shown it while it looks for a player."""
        height, width = picture.image.shape[:2]
        return self._cut(picture.name, picture, whole(width / height), 0.0, None)

    def close_up(self, picture: Picture) -> Look | None:
        """Return the square that follows the player whom the network sees in the picture; None without one."""
        everything = self.whole(picture)
        self._network.show(everything.picture)
        places, scores = self._network.keypoints(everything.crop)
        torso = torso_at(places, scores)
        if torso.score < PERSON_SCORE:
            return None
        height, width = picture.image.shape[:2]
        crop = CropFollower().follow(0, torso, places, scores, width / height)
        return self._cut(picture.name, picture, crop, AREA_ROOT * torso.size * height, None)

    def labelled(self, picture: Picture, person: Person, number: int) -> Look:
        """Return MoveNet's own square around somebody labelled."""
        crop = square_around(person, picture.image.shape[0])
        name = f"{picture.name} person {number}"
        return self._cut(name, picture, crop, person.area**0.5, person.keypoints)

    def _cut(
        self, name: str, picture: Picture, crop: Crop, size: float, label: NDArray[np.float64] | None
    ) -> Look:
        cut = np.zeros((self._network.side, self._network.side, 3), np.uint8)
        taken = self._sampler.sample(picture.image, crop, cut)
        return Look(name, cut, taken, picture.image.shape[0], size, label)


def square_around(person: Person, height: int) -> Crop:
    """Return the square that MoveNet's reference use cuts around a person in a picture of `height` px."""
    keypoints, known = person.keypoints[:, :2], person.keypoints[:, 2] > 0
    if known[_HIPS].all():
        centre = keypoints[_HIPS].mean(axis=0)
        reach = np.abs(keypoints - centre).max(axis=1)
        torso = [at for at in _TORSO if known[at]]
        half = float(max(TORSO_REACH * reach[torso].max(), BODY_REACH * reach[known].max()))
    else:
        left, top, box_width, box_height = person.box
        centre = np.array([left + 0.5 * box_width, top + 0.5 * box_height])
        half = BOX_REACH * max(box_width, box_height)
    x, y = (centre / height).tolist()
    return Crop(x, y, 2.0 * half / height)
