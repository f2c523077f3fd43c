import cv2
import numpy as np

from lalelu import picture
from lalelu.config.kit import KitConfig
from lalelu.skeleton import COCO17
from lalelu.types import Pose

KIT = KitConfig.model_validate(
    {
        "name": "two",
        "pads": {
            "ride": {"note": 51, "zone": {"ellipse": [1.0, 0.0, 0.3, 0.3]}},
            "crash": {"note": 49, "zone": {"box": [-1.3, -0.3, -0.7, 0.3]}},
        },
    }
)
GREY = np.full((240, 320, 3), 90, np.uint8)
BODY = (160 / 240, 0.5, 0.25)


def a_pose(**places: tuple[float, float]) -> Pose:
    xy, score = np.zeros((17, 2), np.float32), np.zeros(17, np.float32)
    for name, place in places.items():
        xy[COCO17.index(name)] = place
        score[COCO17.index(name)] = 0.9
    return Pose(0, 0, 0, xy, score)


def touched(image: np.ndarray) -> np.ndarray:
    return (np.abs(image.astype(int) - 90) > 3).any(axis=2)


def test_picture_is_twice_the_size_and_the_frame_is_left_alone():
    frame = GREY.copy()
    drawn = picture.draw(frame, a_pose(nose=(0.5, 0.5)), KIT, BODY)
    assert drawn.shape == (480, 640, 3)
    assert drawn.dtype == np.uint8
    assert (frame == 90).all()


def test_pads_on_the_players_right_lie_at_the_pictures_left():
    only_ride = KIT.model_copy(update={"pads": {"ride": KIT.pads["ride"]}})
    columns = np.flatnonzero(touched(picture.draw(GREY, a_pose(), only_ride, BODY)).any(axis=0))
    # centre 1 unit = 0.25 image heights = 120 px left of the origin at 320, radius 36 px
    assert abs(columns[0] - (200 - 36)) <= 3
    assert abs(columns[-1] - (200 + 36)) <= 3


def test_without_a_body_no_pad_is_drawn():
    assert not touched(picture.draw(GREY, a_pose(), KIT, None)).any()


def test_unknown_keypoints_are_not_drawn_and_known_ones_are():
    drawn = touched(picture.draw(GREY, a_pose(left_wrist=(0.5, 0.25)), KIT, None))
    assert drawn[118:122, 238:242].all()
    assert not drawn[:60].any()


def test_keypoints_far_outside_or_not_a_number_do_no_harm():
    pose = a_pose(left_wrist=(1e9, 0.5), right_wrist=(np.nan, np.nan), nose=(-0.2, 0.5))
    assert not touched(picture.draw(GREY, pose, KIT, None)).any()


def test_png_holds_the_picture_exactly():
    drawn = picture.draw(GREY, a_pose(nose=(0.5, 0.5)), KIT, BODY)
    data = picture.encode_png(drawn)
    assert data.startswith(b"\x89PNG")
    assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) == drawn).all()
