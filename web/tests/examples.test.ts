import { expect, test } from "vitest";
import type { ExampleGrid, Observations } from "../src/data/contract";
import { cellOpacities, drawExamples, GROUND, patchAt } from "../src/drawing/examples";

const grid = (strengths: number[], frames: number[], numColumns: number): ExampleGrid => ({
  numRows: frames.length / numColumns, numColumns,
  frames: Int32Array.from(frames), strengths: Float32Array.from(strengths),
  rows: Float32Array.from({ length: frames.length / numColumns }, (_, i) => (i + 0.5) / (frames.length / numColumns)),
  columns: Float32Array.from({ length: numColumns }, (_, i) => (i + 0.5) / numColumns),
});

test("the strongest tenth is opaque, nothing is invisible", () => {
  const strengths = Array.from({ length: 21 }, (_, i) => i);
  const opacities = cellOpacities(grid(strengths, strengths.map(() => 0), 21));
  expect(opacities[0]).toBeCloseTo(15 / 255, 6);
  expect(opacities[9]).toBeCloseTo(15 / 255 + (9 / 18) * (240 / 255), 6);
  expect([...opacities.slice(18)]).toEqual([1, 1, 1]);
});

test("one strong cell among weak ones does not make them all opaque", () => {
  const opacities = cellOpacities(grid([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100], Array(12).fill(0), 12));
  expect(opacities[1]).toBeCloseTo(15 / 255 + 0.1 * (240 / 255), 6);
});

test("cells show the frame around their centre, and a checkerboard beyond its edge", () => {
  const pixels = Uint8Array.from({ length: 2 * 4 * 4 * 3 }, (_, i) => i);
  const examples: Observations = { numSteps: 2, height: 4, width: 4, pixels };
  const one = grid([1], [1], 1);
  expect(patchAt(one, 0, examples, 2)).toEqual({ top: 1, left: 1, side: 2 });
  const target = new Uint8ClampedArray(2 * 2 * 4);
  drawExamples(one, examples, 2, 2, target);
  const at = (y: number, x: number) => [...pixels.slice(48 + (y * 4 + x) * 3, 48 + (y * 4 + x) * 3 + 3), 255];
  expect([...target]).toEqual([...at(1, 1), ...at(1, 2), ...at(2, 1), ...at(2, 2)]);
  const wide = new Uint8ClampedArray(8 * 8 * 4);
  drawExamples(one, examples, 8, 8, wide);
  expect([...wide.slice(0, 8)]).toEqual([191, 191, 191, 255, 255, 255, 255, 255]);
  expect([...wide.slice((2 * 8 + 2) * 4, (2 * 8 + 2) * 4 + 4)]).toEqual(at(0, 0));
});

test("weak cells fade into the ground", () => {
  const white: Observations = { numSteps: 1, height: 1, width: 1, pixels: new Uint8Array([255, 255, 255]) };
  const target = new Uint8ClampedArray(2 * 4);
  drawExamples(grid([0, 1], [0, 0], 2), white, 0.5, 1, target);
  expect(target[0]).toBe(Math.round(GROUND * (240 / 255) + 15));
  expect(target[4]).toBe(255);
});
