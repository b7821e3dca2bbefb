import { expect, test } from "vitest";
import type { Attribution, Objects } from "../src/data/contract";
import { agreement, drawObjects, isSeen, MARK_OPACITY } from "../src/drawing/objects";

// Two steps, two objects, a frame of 2 rows and 10 columns: two bytes a row.
const objects: Objects = {
  numObjects: 2, height: 2, rowBytes: 2,
  bits: Uint8Array.from([
    0b11000000, 0b01000000, 0, 0, /* object 1 */ 0, 0, 0, 0,
    0, 0, 0, 0, /* object 1 */ 0, 0, 0b00000001, 0b10000000,
  ]),
};

test("eight pixels lie in a byte, the first in its highest bit", () => {
  const row = (step: number, object: number, y: number) =>
    Array.from({ length: 10 }, (_, x) => (isSeen(objects, step, object, y, x) ? 1 : 0)).join("");
  expect(row(0, 0, 0)).toBe("1100000001");
  expect(row(0, 0, 1)).toBe("0000000000");
  expect(row(1, 1, 1)).toBe("0000000110");
});

test("marks are the object's colour over the picture; objects without a colour leave it", () => {
  const target = new Uint8ClampedArray(2 * 10 * 4).fill(100);
  drawObjects(objects, 0, ["#ff0000", "#00ff00"], 10, target);
  const rest = 100 * (1 - MARK_OPACITY);
  expect([...target.slice(0, 3)]).toEqual([Math.round(rest + 255 * MARK_OPACITY), rest, rest]);
  expect([...target.slice(8, 11)]).toEqual([100, 100, 100]);
  const untouched = new Uint8ClampedArray(2 * 10 * 4).fill(100);
  drawObjects(objects, 0, [null, null], 10, untouched);
  expect(new Set(untouched)).toEqual(new Set([100]));
});

test("density is the share on the object by the share it covers, while it is seen", () => {
  // A layer of 1 x 5 positions, each 2 x 2 pixels.
  const attribution: Attribution = {
    height: 1, width: 5, numFeatures: 2,
    maps: Int8Array.from([
      // Step 0: feature 0 all at the first position, feature 1 evenly, half of it negative.
      8, 1, 0, -1, 0, 1, 0, -1, 0, 1,
      // Step 1: nothing at the object's positions for feature 0.
      4, 1, 0, 1, 0, 1, 0, 1, 0, 1,
    ]),
    mapsScale: Float32Array.from([1, 2]),
    residual: new Int8Array(10), residualScale: new Float32Array(2),
    positive: new Float32Array(4), negative: new Float32Array(4),
    residualPositive: new Float32Array(2), residualNegative: new Float32Array(2),
  };
  const { features, stepsSeen } = agreement(attribution, objects, 10);
  expect(stepsSeen).toEqual([1, 1]);
  // Object 0 covers 3 of 20 pixels at step 0: half of position 0 and a quarter of position 4.
  expect(features[0]![0]).toBeCloseTo(0.5 / (3 / 20), 10);
  expect(features[1]![0]).toBeCloseTo((0.5 + 0.25) / 5 / (3 / 20), 10);
  // Object 1 is seen at step 1 only: a quarter each of positions 3 and 4.
  expect(features[0]![1]).toBe(0);
  expect(features[1]![1]).toBeCloseTo(1, 10);
});
