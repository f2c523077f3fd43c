"""The numbers by which rows and records call pads, controls and limbs. Pure."""

from collections.abc import Sequence

from lalelu.config.agreement_of_kits import MAX_LIMBS
from lalelu.config.kit import KitConfig
from lalelu.skeleton import virtual_of


class Numbers:
    """The numbers of pads and of controls, from 1 over all kits in order, by the kit's number and their names."""

    def __init__(self, kits: Sequence[KitConfig]) -> None:
        pads = ((number, name) for number, kit in enumerate(kits) for name in kit.pads)
        controls = ((number, name) for number, kit in enumerate(kits) for name in kit.gestures)
        self.pads = {key: number for number, key in enumerate(pads, 1)}
        self.controls = {key: number for number, key in enumerate(controls, 1)}


def limb_names(skeleton: Sequence[str], kits: Sequence[KitConfig]) -> tuple[str, ...]:
    """Return the names of all limbs that a row can tell, by their numbers from 1.

    The skeleton's keypoints, then the virtual ones, then the kits' own; those beyond 255 have none.
    """
    own = (name for kit in kits for name in kit.keypoints)
    return tuple(dict.fromkeys((*skeleton, *virtual_of(skeleton), *own)))[:MAX_LIMBS]
