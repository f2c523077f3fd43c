"""General MIDI percussion: names for the notes 35..81 of the drum channel (General MIDI System Level 1)."""

from typing import Annotated, TypeAlias

from pydantic import Field

NoteNumber: TypeAlias = Annotated[int, Field(ge=0, le=127)]
