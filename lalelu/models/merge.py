"""Join a network of the catalogue with what stands before and behind it: frame in, keypoints out, one call. Pure.

It is done on TensorFlow's graph, before it is converted, so that every runtime gets it: ONNX, TFLite, SavedModel.
`merge_onnx` does it with a user's own file.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from lalelu.errors import UsageError
from lalelu.models.camera_graph import PICTURE, TAKEN, Camera, Picture, camera_graph
from lalelu.models.graph import Graph, Node, Spec, UnsupportedError, build, unfuse
from lalelu.models.graph_writer import FLOAT
from lalelu.models.keypoint_graph import KEYPOINTS, SAID, heatmap_keypoints, movenet_keypoints
from lalelu.models.picture import BGR
from lalelu.models.simplify import fold

# What stands behind a family's first output.
BEHIND: Final[Mapping[str, Callable[[Spec], Graph]]] = MappingProxyType(
    {
        "movenet_single": lambda said: movenet_keypoints(said.shape),
        "heatmap": lambda said: heatmap_keypoints(said.shape, channels_last=True),
    }
)
# These tell of boxes, in fractions of the square that `taken` names: their anchors, and the choice among them.
DETECTORS: Final = frozenset({"person_detector", "hand_detector"})


def merged(network: Graph, family: str, camera: Camera) -> Graph:
    """Return a network of one picture of bytes, (1, H, W, 3), from frame to keypoints.

    Inputs `frame` and `crop`; outputs `keypoints` (of a detector `detections`), then the network's further ones,
    `taken` and `picture`, as `camera_graph` tells. (OpenVINO computes in bf16 what nobody but a network in bf16 looks
    at: `picture` is shown so that its numbers stay exact.) Raises UsageError for a family that has no such end,
    UnsupportedError for a network that does not begin by making its picture's bytes floats.
    """
    known = (*BEHIND, *sorted(DETECTORS))
    if family not in known:
        raise UsageError(
            f"networks of the family {family} cannot be merged; those of {', '.join(known)} can: choose another"
        )
    if family in DETECTORS:
        from lalelu.models.nms_graph import with_suppression

        network = with_suppression(network)
    ((name, spec),) = network.inputs.items()
    _, height, width, _ = spec.shape
    picture = Picture((height, width), "bgr" if name == BGR else "rgb")
    before = camera_graph(camera, picture)
    first, *others = network.outputs.items()
    nodes = list(before.nodes)
    for node in network.nodes:
        if name not in node.inputs:
            nodes.append(node)
        elif node.op == "Cast":
            nodes.append(Node(node.name, "Identity", (before.outputs[PICTURE],), {"T": FLOAT}))
        else:
            raise UnsupportedError(f"{node.op} {node.name!r} takes the picture as it is; known: first a Cast")
    constants = {**before.constants, **network.constants}
    if family in DETECTORS:
        return build(nodes, constants, before.inputs, {**network.outputs, **before.outputs})
    behind = BEHIND[family](fold(unfuse(network)).specs[first[1]])
    wires = {SAID: first[1], TAKEN: before.outputs[TAKEN]}
    nodes.extend(
        Node(node.name, node.op, tuple(wires.get(one, one) for one in node.inputs), node.attrs)
        for node in behind.nodes
    )
    constants |= behind.constants
    outputs = {KEYPOINTS: behind.outputs[KEYPOINTS], **dict(others), **before.outputs}
    return build(nodes, constants, before.inputs, outputs)
