"""Join a network of the catalogue with what stands before and behind it: frame in, keypoints out, one call. Pure.

It is done on TensorFlow's graph, before it is converted, so that every runtime gets it: ONNX, TFLite, SavedModel.
`merge_onnx` does it with a user's own file.
"""

from typing import Final

from lalelu.models.camera_graph import PICTURE, TAKEN, Camera, Picture, camera_graph
from lalelu.models.graph import Graph, Node, UnsupportedError, build
from lalelu.models.graph_writer import FLOAT
from lalelu.models.keypoint_graph import KEYPOINTS, SAID, movenet_keypoints
from lalelu.models.picture import BGR

MOVENET_OUTPUT: Final = (1, 1, 17, 3)


def merged(network: Graph, camera: Camera) -> Graph:
    """Return a single-pose MoveNet (with its heads, where it has them) from frame to keypoints.

    Inputs `frame` and `crop`; outputs `keypoints`, then the heads, then `taken`: `camera_graph` tells what they are.
    Raises UnsupportedError for a network that does not begin by making its picture's bytes floats.
    """
    ((name, spec),) = network.inputs.items()
    _, height, width, _ = spec.shape
    picture = Picture((height, width), "bgr" if name == BGR else "rgb")
    before = camera_graph(camera, picture)
    behind = movenet_keypoints(MOVENET_OUTPUT)
    said, *heads = network.outputs.items()
    nodes = list(before.nodes)
    for node in network.nodes:
        if name not in node.inputs:
            nodes.append(node)
        elif node.op == "Cast":
            nodes.append(Node(node.name, "Identity", (before.outputs[PICTURE],), {"T": FLOAT}))
        else:
            raise UnsupportedError(f"{node.op} {node.name!r} takes the picture as it is; known: first a Cast")
    wires = {SAID: said[1], TAKEN: before.outputs[TAKEN]}
    nodes.extend(
        Node(node.name, node.op, tuple(wires.get(one, one) for one in node.inputs), node.attrs)
        for node in behind.nodes
    )
    constants = {**before.constants, **network.constants, **behind.constants}
    outputs = {
        KEYPOINTS: behind.outputs[KEYPOINTS],
        **dict(heads),
        TAKEN: before.outputs[TAKEN],
        PICTURE: before.outputs[PICTURE],
    }
    return build(nodes, constants, before.inputs, outputs)
