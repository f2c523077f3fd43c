"""What all parts of lalelu.yaml and of a kit share: sections, and the units and ranges of their values. Pure data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

BODY_REACH: Final = 10.0  # shoulder widths; nobody's hands go farther, with a margin for odd proportions
PICTURE_REACH: Final = 4.0  # image heights; wider pictures than 4:1 are not filmed

_NAME: Final = "^[A-Za-z][A-Za-z0-9_-]*$"
NAME_RULE: Final = "a name of up to 32 letters, digits, _ and -, a letter first"

Channel: TypeAlias = Annotated[int, Field(ge=1, le=16)]
PlayerNumber: TypeAlias = Annotated[int, Field(ge=0, le=5)]  # in the order in which they came
BodyLength: TypeAlias = Annotated[float, Field(ge=-BODY_REACH, le=BODY_REACH)]  # shoulder widths
PictureLength: TypeAlias = Annotated[float, Field(ge=0.0, le=PICTURE_REACH)]  # image heights
Where: TypeAlias = tuple[str | int, ...]  # an option, as ("pads", "snare", "limbs", 0)
Contradiction: TypeAlias = tuple[Where, str]  # and which rule is broken there, as a sentence with the remedy
# a keypoint of the skeleton, a virtual one, or one that the kit defines under `keypoints`
Limb: TypeAlias = Annotated[str, Field(pattern=_NAME, max_length=32, description=NAME_RULE)]
PadName: TypeAlias = Annotated[str, Field(pattern=_NAME, max_length=32, description=NAME_RULE)]


class Section(BaseModel):
    """A mapping in YAML: unknown keys are refused, values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def tag_by_key(
    option: str, sections: Mapping[str, type[Section]], names: Mapping[str, str] | None = None
) -> Callable[[object], str | None]:
    """Return what tells by a mapping's key which section is meant, so that only that section's problems are told."""

    def tag(value: object) -> str | None:
        for key, section in sections.items():
            if isinstance(value, section) or (isinstance(value, Mapping) and key in value):
                return f"{option} {(names or {}).get(key, key)}"
        return None

    return tag


def contradicted(found: Sequence[Contradiction]) -> PydanticCustomError:
    """Return the error that tells options which do not go together, each at its own place."""
    rules = "; ".join(f"{'.'.join(map(str, path))}: {rule}" for path, rule in found)
    return PydanticCustomError("contradictions", "{rules}", {"rules": rules, "found": found})
