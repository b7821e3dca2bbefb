"""What is offered to edit lies where the frame shows it."""

import numpy as np
import pytest

from rlvision_jax.envs import OBJECT_NAMES
from rlvision_jax.live.things import describe_scene

# Around the agent of the first moment; on it nothing, so that nothing is hidden.
ADDED = (
    {"edit": "add_saw", "cell": [4, 5]},
    {"edit": "add_crate", "cell": [5, 4], "theme": 1},
    {"edit": "add_enemy", "x": 5.75, "row": 6},
    {"edit": "move_coin", "cell": [3, 5]},
)


@pytest.mark.parametrize("kind", ["agent", "saw", "crate", "enemy", "coin", "lava"])
def test_boxes_hold_the_pixels_of_their_kind_and_little_else(after, kind):
    lava = {"edit": "set_cell", "cell": [0, 4], "content": "lava"}
    moment = after(*ADDED, lava)
    scene = describe_scene(moment.state)
    boxes = [thing["box"] for thing in scene["things"] if thing["kind"] == kind]
    assert boxes
    held = np.zeros((64, 64), bool)
    for left, top, right, bottom in boxes:
        rows = slice(*np.clip([np.floor(64 * top), np.ceil(64 * bottom)], 0, 64).astype(int))
        columns = slice(*np.clip([np.floor(64 * left), np.ceil(64 * right)], 0, 64).astype(int))
        held[rows, columns] = True
    mask = moment.picture.masks[..., OBJECT_NAMES.index(kind)]
    # Cells are drawn a little too large, so that no gap shows between them: by up to a pixel.
    wider = held | np.roll(held, 1, 0) | np.roll(held, -1, 0)
    wider |= np.roll(wider, 1, 1) | np.roll(wider, -1, 1)
    assert (mask & ~wider).sum() == 0
    # Pictures leave margins, and other things hide parts; the coin's is the smallest.
    assert (mask & held).sum() > 0.15 * held.sum()


def test_places_name_what_edits_take(after):
    scene = describe_scene(after(*ADDED).state)
    found = {thing["kind"]: thing for thing in scene["things"]}
    assert [4, 5] in [thing["cell"] for thing in scene["things"] if thing["kind"] == "saw"]
    assert (found["crate"]["cell"], found["crate"]["theme"]) == ([5, 4], 1)
    assert (found["enemy"]["x"], found["enemy"]["row"]) == (5.75, 6)
    assert found["coin"]["cell"] == [3, 5]
    # From a share of the frame to the world, as the page reckons.
    left, top, right, bottom = found["saw"]["box"]
    x = scene["origin"][0] + scene["cells"] * (left + right) / 2
    y = scene["origin"][1] - scene["cells"] * (top + bottom) / 2
    assert [int(y), int(x)] == found["saw"]["cell"]


def test_only_what_the_frame_shows_is_offered(after):
    far = {"edit": "add_saw", "cell": [4, 60]}
    hidden = {"edit": "set_visible", "kind": "saw", "visible": False}
    cells = [thing.get("cell") for thing in describe_scene(after(*ADDED, far).state)["things"]]
    assert [4, 60] not in cells
    things = describe_scene(after(*ADDED, hidden).state)["things"]
    assert "saw" not in {thing["kind"] for thing in things}
