"""Put values into a kit's YAML text; comments, order and spelling of everything else stay."""

from collections.abc import Mapping
from io import StringIO
from typing import Any, Final

from lalelu.config.positions import read_document
from lalelu.config.section import Where
from lalelu.errors import MissingError, UsageError

WIDEST: Final = 4096  # characters: lines are left as long as they are


def set_values(text: str, values: Mapping[Where, Any]) -> str:
    """Return the text with these values at their places, as ("strike", "min_speed"); missing sections are added.

    Raises UsageError where the text is written so that something else would change, too, MissingError without
    ruamel.yaml.
    """
    try:
        from ruamel.yaml import YAML
        from ruamel.yaml.comments import CommentedMap, CommentedSeq
        from ruamel.yaml.error import YAMLError
    except ModuleNotFoundError as exc:
        raise MissingError(
            "writing a kit needs the module 'ruamel.yaml', which is not installed; "
            "`pip install 'lalelu[tune]'` brings it"
        ) from exc

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = WIDEST
    try:
        root = yaml.load(text)
    except YAMLError as exc:
        raise UsageError(f"the kit cannot be changed: {exc}; `lalelu check FILE` names the mistakes") from exc
    for where, value in values.items():
        place = root
        for key in where[:-1]:
            if place.get(key) is None:
                place[key] = CommentedMap()
            place = place[key]
        if isinstance(value, list):
            flow = CommentedSeq(value)
            flow.fa.set_flow_style()
            place[where[-1]] = flow
        else:
            place[where[-1]] = value
    out = StringIO()
    yaml.dump(root, out)
    edited = out.getvalue()
    if read_document(edited, "").root != _expected(read_document(text, "").root, values):
        raise UsageError(
            "the kit cannot be changed in place: it is written with anchors or aliases; write the values by hand"
        )
    return edited


def _expected(root: object, values: Mapping[Where, Any]) -> dict[str, Any]:
    """Return a copy of the plain data with the values in it."""
    data: dict[str, Any] = _copy(root) if isinstance(root, dict) else {}
    for where, value in values.items():
        place: dict[Any, Any] = data
        for key in where[:-1]:
            if place.get(key) is None:
                place[key] = {}
            place = place[key]
        place[where[-1]] = value
    return data


def _copy(value: Any) -> Any:  # noqa: ANN401 - plain data of any depth
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value
