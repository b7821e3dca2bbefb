import { expect, test } from "vitest";
import { fromLink, toLink } from "../../src/live/link";
import type { Event } from "../../src/live/protocol";
import { fromFragment, toFragment } from "../../src/view/url";

test("a history is short in a link", () => {
  const events: Event[] = [
    { edit: "remove_saw", cell: [3, 12] },
    ...Array<Event>(24).fill({ action: 7 }),
    { action: 8 },
    { edit: "move_agent", x: 12.5, y: 3.58 },
  ];
  expect(toLink(events)).toBe("remove_saw*3*12 7x24 8 move_agent*12.5*3.58");
});

test("every edit survives its link", () => {
  const events: Event[] = [
    { edit: "remove", kind: "saw" },
    { edit: "move_coin", cell: [1, 2] },
    { edit: "add_saw", cell: [1, 2] },
    { edit: "remove_saw", cell: [63, 0] },
    { edit: "move_saw", source: [1, 2], target: [3, 4] },
    { edit: "add_crate", cell: [1, 2] },
    { edit: "remove_crates", cell: [1, 2] },
    { edit: "move_crates", source: [1, 2], target: [3, 4] },
    { edit: "add_enemy", x: 3.5, row: 2 },
    { edit: "move_enemy", slot: 4, x: 3.25, row: 2 },
    { edit: "remove_enemy", slot: 4 },
    { action: 0 },
    { action: 0 },
    { action: 3 },
    { edit: "move_agent", x: 0.01, y: 3.58 },
    { edit: "set_velocity", x: -0.5, y: 1.5 },
    { edit: "set_cell", cell: [1, 2], content: "lava" },
    { edit: "set_background", background: 61 },
    { edit: "set_ground_theme", theme: 5 },
    { edit: "set_player_theme", theme: 0 },
    { edit: "set_visible", kind: "enemy", visible: false },
    { action: 14 },
    { edit: "blank", color: [128, 0, 255], pixels: [[0, 0], [0, 1], [0, 2], [5, 63], [63, 63]] },
  ];
  expect(fromLink(toLink(events))).toEqual(events);
  const place = {
    trajectory: 0, step: 4, layer: "2b", scores: ["value"], hidden: [], residual: false,
    together: false, onFrame: true, opacity: 0.9, feature: null, human: false, beside: true, bySteps: false, objects: [],
  };
  expect(fromFragment(toFragment({ ...place, edits: events })).edits).toEqual(events);
});

test("an open editor without edits has its link; a closed one has none", () => {
  expect(fromFragment("#trajectory=1&edit=").edits).toEqual([]);
  expect(fromFragment("#trajectory=1").edits).toBeUndefined();
});

test("a link that makes no sense leads nowhere", () => {
  for (const link of [
    "explode*1*2", "constructor", "add_saw*1", "add_saw*1*2*3", "add_saw*1e9*2", "add_saw*a*2",
    "set_visible*saw*perhaps", "remove*<b>", "blank*80808*0-1", "blank*808080*0_1", "blank*808080*",
    "7x", "-1", "7x9999",
  ]) {
    expect(fromLink(link), link).toBeNull();
  }
});
