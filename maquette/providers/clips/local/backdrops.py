"""Which set a shot is played on."""

from collections.abc import Callable
from typing import Final

from maquette.providers.clips.local import indoors, outdoors
from maquette.providers.clips.local.scenery import Scenery
from maquette.providers.clips.local.shot import Shot

SETS: Final[dict[str, Callable[[Scenery], None]]] = {
    "studio": indoors.studio,
    "table": indoors.table,
    "office": indoors.office,
    "grid": indoors.grid,
    "lab": indoors.lab,
    "stage": indoors.stage,
    "hills": outdoors.hills,
    "mountain": outdoors.mountain,
    "city": outdoors.city,
    "sea": outdoors.sea,
    "desert": outdoors.desert,
    "space": outdoors.space,
    "castle": outdoors.castle,
}


def painted(shot: Shot, size: tuple[int, int]) -> Scenery:
    """The set of ``shot``, painted on layers of ``size`` pixels."""
    scenery = Scenery(shot, size)
    SETS.get(shot.set, indoors.studio)(scenery)
    return scenery
