import { expect, test } from "vitest";
import {
  allowedMove, blankEvent, movedThing, moveEvent, removeEvent, stampEvent, wordsOfEnd,
} from "../../src/live/edits";
import type { Scene, Thing } from "../../src/live/protocol";

const scene: Scene = { things: [], origin: [20, 8], cells: 10 };
const box = [0.2, 0.4, 0.3, 0.5] as const;
const saw: Thing = { kind: "saw", box, cell: [3, 22] };
const crate: Thing = { kind: "crate", box, cell: [3, 22] };
const coin: Thing = { kind: "coin", box, cell: [3, 22] };
const lava: Thing = { kind: "lava", box, cell: [3, 22] };
const enemy: Thing = { kind: "enemy", box, slot: 4, x: 22.5, row: 3 };
const agent: Thing = { kind: "agent", box, x: 22.5, y: 3.58 };

test("what lies in cells goes by whole cells, the rest more finely", () => {
  expect(moveEvent(saw, scene, [1.4, 0.6])).toEqual({ edit: "move_saw", source: [3, 22], target: [4, 23] });
  expect(moveEvent(crate, scene, [-1, 0])).toEqual({ edit: "move_crates", source: [3, 22], target: [3, 21] });
  expect(moveEvent(coin, scene, [0, 2])).toEqual({ edit: "move_coin", cell: [5, 22] });
  expect(moveEvent(enemy, scene, [0.256, 1.4])).toEqual({ edit: "move_enemy", slot: 4, x: 22.76, row: 4 });
  expect(moveEvent(agent, scene, [0.25, -0.5])).toEqual({ edit: "move_agent", x: 22.75, y: 3.08 });
  expect(allowedMove(saw, [0.4, -0.4]).map(Math.abs)).toEqual([0, 0]);
});

test("nothing moves out of the level, and lava stays", () => {
  expect(moveEvent(saw, scene, [0, -4])).toBeNull();
  expect(moveEvent(agent, scene, [50, 0])).toBeNull();
  expect(moveEvent(enemy, scene, [0, -4])).toBeNull();
  expect(moveEvent(lava, scene, [1, 0])).toBeNull();
  expect(stampEvent("saw", [-1, 3])).toBeNull();
  expect(stampEvent("wall", [3, 64])).toBeNull();
});

test("a moved thing is where it will be seen, and moves on from there", () => {
  const there = movedThing(saw, scene, [2, 1]);
  expect(there.box.map((edge) => Math.round(edge * 100) / 100)).toEqual([0.4, 0.3, 0.5, 0.4]);
  expect(moveEvent(there, scene, [1, 0])).toEqual({ edit: "move_saw", source: [4, 24], target: [4, 25] });
});

test("each thing is removed in its own way; the agent stays", () => {
  expect(removeEvent(saw)).toEqual({ edit: "remove_saw", cell: [3, 22] });
  expect(removeEvent(crate)).toEqual({ edit: "remove_crates", cell: [3, 22] });
  expect(removeEvent(enemy)).toEqual({ edit: "remove_enemy", slot: 4 });
  expect(removeEvent(lava)).toEqual({ edit: "set_cell", cell: [3, 22], content: "empty" });
  expect(removeEvent(agent)).toBeNull();
});

test("a stamp fills the cell", () => {
  expect(stampEvent("enemy", [3, 22])).toEqual({ edit: "add_enemy", x: 22.5, row: 3 });
  expect(stampEvent("coin", [3, 22])).toEqual({ edit: "move_coin", cell: [3, 22] });
  expect(stampEvent("lava", [3, 22])).toEqual({ edit: "set_cell", cell: [3, 22], content: "lava" });
});

test("painted pixels are listed row by row", () => {
  expect(blankEvent(new Set([130, 3, 64]), 64)).toEqual({
    edit: "blank", pixels: [[0, 3], [1, 0], [2, 2]], color: [128, 128, 128],
  });
});

test("an end is told in words, one that is unknown too", () => {
  expect(wordsOfEnd("lava")).toBe("The agent fell into lava");
  expect(wordsOfEnd("out_of_time")).toBe("The episode ended (out of time)");
  expect(wordsOfEnd("constructor")).toBe("The episode ended (constructor)");
});
