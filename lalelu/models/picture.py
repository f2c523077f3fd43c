"""Let a network take the camera's own picture: bytes, blue before green before red. Pure.

Networks are trained on red before green before blue, and their files ask for 32-bit numbers. To turn every frame
around and widen it costs 0.07 ms outside of the network; inside of it costs nothing, because the first
convolution's weights can stand the other way round instead.
"""

from typing import Any, Final

import numpy as np

from lalelu.models.graph import Array, Graph, Node, Spec

BGR: Final = "bgr"  # the input's name says in which order the colours stand
BYTE: Final[np.dtype[Any]] = np.dtype(np.uint8)
COLOURS: Final = 3
# What leaves each colour where it is; the shapes in between only lose or gain the picture's number.
_CARRIES: Final = frozenset({"Cast", "ExpandDims", "Identity", "Pack", "Pad", "Squeeze", "Unpack"})
_BY_COLOUR: Final = frozenset({"Add", "AddV2", "Mul", "RealDiv", "Sub"})
_CONVOLUTIONS: Final = frozenset({"Conv2D", "_FusedConv2D"})


def from_camera(graph: Graph) -> Graph:
    """Return the graph with the input `bgr`, uint8, in the place of its RGB picture.

    It computes the same numbers. A graph whose picture meets anything but scales and offsets before its first
    convolution is returned as it is.
    """
    if len(graph.inputs) != 1:
        return graph
    ((name, spec),) = graph.inputs.items()
    cast = _only_user(graph, name)
    if cast is None or cast.op != "Cast" or spec.shape[-1:] != (COLOURS,):
        return graph
    changed = {cast.name: Node(cast.name, cast.op, (BGR,), {**cast.attrs, "SrcT": BYTE})}
    constants = dict(graph.constants)
    tensor = cast.name
    while (node := _only_user(graph, tensor)) is not None:
        if node.op not in _CARRIES:
            if node.op not in _CONVOLUTIONS | _BY_COLOUR:
                return graph
            position = 1 if node.inputs[0] == tensor else 0  # of the numbers that meet the picture
            numbers = _value(graph, node.inputs[position])
            convolves = node.op in _CONVOLUTIONS
            if numbers is None or (convolves and position == 0):
                return graph
            inputs = list(node.inputs)
            inputs[position] = f"{node.name}/bgr"
            constants[inputs[position]] = numbers[:, :, ::-1] if convolves else _turned(numbers)
            changed[node.name] = Node(node.name, node.op, tuple(inputs), node.attrs)
            if convolves:
                nodes = tuple(changed.get(node.name, node) for node in graph.nodes)
                return Graph(nodes, constants, {BGR: Spec(spec.shape, BYTE)}, graph.outputs)
        tensor = node.name
    return graph


def _only_user(graph: Graph, tensor: str) -> Node | None:
    """Return the one operation that takes a tensor; None where there are more, or the outside sees it."""
    users = [node for node in graph.nodes if tensor in node.inputs]
    return users[0] if len(users) == 1 and tensor not in graph.outputs.values() else None


def _value(graph: Graph, name: str) -> Array | None:
    """Return a constant's value, also where only its name was changed on the way."""
    makers = {node.name: node for node in graph.nodes}
    while name in makers and makers[name].op == "Identity":
        name = makers[name].inputs[0]
    return graph.constants.get(name)


def _turned(numbers: Array) -> Array:
    """Return numbers for each colour the other way round, as one number where all are the same.

    OpenVINO adds one number to a picture five times as fast as three.
    """
    if numbers.size and (numbers == numbers.reshape(-1)[0]).all():
        return np.array(numbers.reshape(-1)[0], numbers.dtype)
    return numbers[..., ::-1] if numbers.shape[-1:] == (COLOURS,) else numbers
