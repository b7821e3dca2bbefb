import { expect, test } from "vitest";
import { between, boxOf, brushed, cellAt, isSeen, shifted, toWorld } from "../../src/live/geometry";
import type { Scene } from "../../src/live/protocol";

// Ten cells across; the frame's top left corner is 20 cells to the right and 8 up.
const scene: Scene = { things: [], origin: [20, 8], cells: 10 };

test("the frame shows the world with y upwards", () => {
  expect(toWorld(scene, [0.25, 0.5])).toEqual([22.5, 3]);
  expect(cellAt(scene, [0.25, 0.49])).toEqual([3, 22]);
  expect(cellAt(scene, [0, 0.01])).toEqual([7, 20]);
});

test("a cell's box holds the places that are in the cell", () => {
  const [left, top, right, bottom] = boxOf(scene, [3, 22]);
  expect([left, top, right, bottom].map((edge) => Math.round(edge * 100) / 100)).toEqual([0.2, 0.4, 0.3, 0.5]);
  expect(cellAt(scene, [(left + right) / 2, (top + bottom) / 2])).toEqual([3, 22]);
});

test("a box goes right and up by cells, and may leave the frame", () => {
  const [left, top, right, bottom] = shifted([0.2, 0.4, 0.3, 0.5], scene, [2, 1]);
  expect([left, top, right, bottom].map((edge) => Math.round(edge * 100) / 100)).toEqual([0.4, 0.3, 0.5, 0.4]);
  expect(isSeen(shifted([0.2, 0.4, 0.3, 0.5], scene, [7, 0]))).toBe(true);
  expect(isSeen(shifted([0.2, 0.4, 0.3, 0.5], scene, [9, 0]))).toBe(false);
});

test("a brush paints the disc around its place, and never nothing", () => {
  const width = 8;
  const at = (x: number, y: number, size: number) =>
    brushed([x / width, y / width], size, width, width).map((p) => [Math.floor(p / width), p % width]);
  expect(at(4, 4, 2)).toEqual([[3, 3], [3, 4], [4, 3], [4, 4]]);
  expect(at(2.9, 5.1, 1)).toEqual([[5, 2]]);
  // Those of 4 x 4 whose middle is at most 2 away: all but the corners.
  expect(at(4, 4, 4)).toHaveLength(12);
  expect(at(0, 0, 4)).toEqual([[0, 0], [0, 1], [1, 0]]);
});

test("a stroke leaves no gap between two places of the pointer", () => {
  const places = between([0, 0.5], [1, 0.5], 64);
  expect(places.at(-1)).toEqual([1, 0.5]);
  const columns = new Set(places.flatMap((place) => brushed(place, 1, 64, 64)).map((p) => p % 64));
  expect(columns.size).toBeGreaterThanOrEqual(63); // all but that of the first place
  expect(between([0.3, 0.3], [0.3, 0.3], 64)).toEqual([[0.3, 0.3]]);
});
