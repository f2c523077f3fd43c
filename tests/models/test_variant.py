import numpy as np
import pointwise
import pytest

from lalelu.errors import UsageError
from lalelu.models import variant
from lalelu.pose.crop import Crop


@pytest.fixture
def small(tmp_path):
    return pointwise.write(tmp_path / "small.onnx")


def test_a_file_is_played_as_the_parts_behind_it_say(small):
    assert variant.parse(str(small)) == variant.Variant(str(small), small, "openvino", "auto")
    both = variant.parse(f"{small}@onnxruntime,f32")
    assert (both.path, both.runtime, both.precision) == (small, "onnxruntime", "f32")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{file}@f23", "'f23' is no part of one; known are f32, bf16"),
        ("{file}@mixed", "mixed is looked for beside a catalogue's name"),
        ("{folder}/none.onnx", "there is no file"),
        ("lightnin", 'did you mean "lightning"'),
        ("multipose", "multipose is of the family movenet_multi"),
        ("thunder@int8-static", "`lalelu model quantize thunder --to int8-static` makes it"),
        ("thunder@bf16-weights", "`lalelu model quantize thunder --to bf16` makes it"),
    ],
)
def test_what_is_no_variant_is_refused_with_the_remedy(small, monkeypatch, text, sentence):
    monkeypatch.setenv("LALELU_CACHE", str(small.parent))
    with pytest.raises(UsageError) as caught:
        variant.parse(text.format(file=small, folder=small.parent))
    assert sentence in str(caught.value)


def test_what_quantize_made_is_found_beside_the_catalogues_name(small, monkeypatch):
    monkeypatch.setenv("LALELU_CACHE", str(small.parent))
    made = variant.quantised_path("lightning", "bf16")
    made.parent.mkdir()
    made.write_bytes(small.read_bytes())
    found = variant.parse("lightning@bf16-weights,f32")
    assert (found.path, found.precision) == (made, "f32")


def test_a_network_tells_keypoints_in_image_heights_of_the_square_that_it_was_shown(small):
    network = variant.Network(variant.parse(f"{small}@f32"))
    network.open()
    assert (network.side, network.precision) == (pointwise.SIDE, "f32")
    (picture,) = pointwise.pictures(1)
    network.show(picture)
    numbers = network.infer()[0].reshape(17, 3).copy()
    places, scores = network.keypoints(Crop(0.5, 1.0, 2.0))
    np.testing.assert_allclose(
        np.array(places).reshape(17, 2)[:, 0], 0.5 + 2.0 * (numbers[:, 1] - 0.5), atol=1e-6
    )
    np.testing.assert_allclose(
        np.array(places).reshape(17, 2)[:, 1], 1.0 + 2.0 * (numbers[:, 0] - 0.5), atol=1e-6
    )
    np.testing.assert_allclose(scores, numbers[:, 2])
    network.close()
    network.close()
