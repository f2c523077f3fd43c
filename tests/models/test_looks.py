"""Squares around people: labelled ones, and those whom a network finds. Pictures are made here."""

import json

import cv2
import numpy as np
import pytest

from lalelu.errors import MissingError, UsageError
from lalelu.models import looks
from lalelu.models.variant import Network, parse

HEIGHT = 200


def labelled(points, box=(0.0, 0.0, 10.0, 10.0)):
    """A person with some of COCO's keypoints, px."""
    keypoints = np.zeros((17, 3))
    for at, (x, y) in points.items():
        keypoints[at] = x, y, 2
    return looks.Person(keypoints, 2500.0, box)


def test_the_square_reaches_from_the_hips_as_far_as_movenets_own():
    torso = {5: (90, 60), 6: (110, 60), 11: (92, 100), 12: (108, 100)}
    around_torso = looks.square_around(labelled(torso), HEIGHT)  # shoulders are 40 px from the hips' middle
    assert around_torso == pytest.approx((100 / HEIGHT, 100 / HEIGHT, 2 * 1.9 * 40 / HEIGHT))
    with_feet = looks.square_around(labelled({**torso, 15: (95, 190)}), HEIGHT)  # 90 px
    assert with_feet.side == pytest.approx(2 * 1.2 * 90 / HEIGHT)


def test_without_hips_the_square_is_half_as_large_again_as_the_box():
    found = looks.square_around(labelled({5: (90, 60)}, (50.0, 20.0, 40.0, 100.0)), HEIGHT)
    assert found == pytest.approx((70 / HEIGHT, 70 / HEIGHT, 150 / HEIGHT))


def coco(path, annotations):
    images = [{"id": 1, "file_name": "one.png"}, {"id": 2, "file_name": "two.png"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def annotation(image, marked=17, **more):
    keypoints = [10.0, 20.0, 2.0] * marked + [0.0, 0.0, 0.0] * (17 - marked)
    return {"image_id": image, "keypoints": keypoints, "bbox": [1, 2, 3, 4], "area": 9.0, **more}


def test_people_are_read_by_photo_without_crowds_and_those_without_keypoints(tmp_path):
    told = [
        annotation(1),
        annotation(1, marked=3),
        annotation(2, marked=0),
        annotation(2, iscrowd=1),
        annotation(2),
    ]
    people = looks.read_people(coco(tmp_path / "people.json", told))
    assert {name: len(found) for name, found in people.items()} == {"one.png": 2, "two.png": 1}
    first = people["one.png"][0]
    assert (first.area, first.box) == (9.0, (1.0, 2.0, 3.0, 4.0))
    assert first.keypoints[16].tolist() == [10.0, 20.0, 2.0]


@pytest.mark.parametrize("text", ["", "[]", '{"images": []}', '{"images": [], "annotations": [{}, 3]}'])
def test_a_file_of_another_kind_is_refused_in_words(tmp_path, text):
    (tmp_path / "people.json").write_text(text)
    with pytest.raises(UsageError, match=r"people\.json holds no people"):
        looks.read_people(tmp_path / "people.json")


def test_photos_come_by_name_and_other_files_are_left_alone(tmp_path):
    for name in ("b.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / name), np.full((20, 30, 3), 90, np.uint8))
    (tmp_path / "notes.txt").write_text("nothing")
    found = list(looks.pictures(str(tmp_path)))
    assert [(each.name, each.image.shape) for each in found] == [
        ("a.jpg", (20, 30, 3)),
        ("b.png", (20, 30, 3)),
    ]


def test_a_damaged_photo_and_an_empty_folder_are_refused_in_words(tmp_path):
    with pytest.raises(UsageError, match="has no photo in it"):
        list(looks.pictures(str(tmp_path)))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"bad\.png cannot be decoded"):
        list(looks.pictures(str(tmp_path)))


def test_a_films_pictures_are_spread_evenly_over_it(tmp_path):
    path = str(tmp_path / "film.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (64, 48))
    for value in range(2 * looks.MOST):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    found = list(looks.pictures(path))
    assert len(found) == looks.MOST
    assert [each.name for each in found[:3]] == [f"film.avi frame {seq}" for seq in (0, 2, 4)]
    assert abs(float(found[60].image.mean()) - 120) < 3  # each its own picture, not the last one


def test_the_simulated_drummer_is_filmed_in_every_look_or_as_asked():
    names = {each.name.split()[1] for each in looks.pictures("sim:")}
    assert names == set(looks.LOOKS)
    (first, *others) = looks.pictures("sim:?look=stage&size=320x240")
    assert first.image.shape == (240, 320, 3)
    assert len(others) == looks.MOST - 1
    assert {each.name.split()[1] for each in others} == {"stage"}
    with pytest.raises(UsageError, match="unknown option 'loook'"):
        list(looks.pictures("sim:?loook=stage"))


@pytest.fixture
def lightning(expect):
    try:
        network = Network(parse("lightning@f32"))
    except MissingError as exc:
        expect("model", str(exc))
    network.open()
    yield network
    network.close()


@pytest.mark.model
def test_a_close_up_has_the_player_in_its_middle(lightning):
    (picture, *_) = looks.pictures("sim:?look=day")
    look = looks.Viewer(lightning).close_up(picture)
    assert look is not None
    assert look.crop.side < 1.0  # closer than the whole picture of 4 by 3
    assert look.picture.shape == (192, 192, 3)
    assert abs(look.crop.x - 2 / 3) < 0.2
    assert 0.1 < look.size / look.height < 0.8
    assert look.label is None


@pytest.mark.model
def test_nobody_to_be_seen_is_said_in_words(lightning, tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((240, 320, 3), 128, np.uint8))
    with pytest.raises(UsageError, match="nobody is seen in"):
        looks.looks(str(tmp_path), lightning)
    with pytest.raises(UsageError, match="nobody is labelled for the photos in"):
        looks.looks(str(tmp_path), lightning, {"other.png": []})


@pytest.mark.model
def test_each_labelled_person_is_looked_at_with_their_label(lightning, tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), np.full((HEIGHT, 300, 3), 128, np.uint8))
    person = labelled({5: (90, 60), 6: (110, 60), 11: (92, 100), 12: (108, 100)})
    found = looks.looks(str(tmp_path), lightning, {"one.png": [person, person]})
    assert [look.name for look in found] == ["one.png person 1", "one.png person 2"]
    assert [(look.height, look.size) for look in found] == [(HEIGHT, 50.0)] * 2
    assert found[0].label is person.keypoints
