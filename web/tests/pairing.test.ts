import { expect, test } from "vitest";
import { alignedSeries, alignedStep } from "../src/data/pairing";
import type { Episode } from "../src/data/trajectory";
import { axisFor, extent, linePath } from "../src/drawing/scales";

const episodes = (...lengths: number[]): Episode[] => {
  let start = 0;
  return lengths.map((length) => {
    start += length;
    return { start: start - length, end: start, outcome: "failed", levelSeed: 0, return: 0 };
  });
};
const here = episodes(4, 3, 2);
const there = episodes(2, 5);
const steps = Array.from({ length: 9 }, (_, step) => step);

test("by episode the shorter one waits on its last step, and the next begins with this one's", () => {
  const aligned = steps.map((step) => alignedStep(step, here, there, "episode"));
  expect(aligned).toEqual([0, 1, 1, 1, 2, 3, 4, null, null]);
});

test("by step nothing waits", () => {
  const aligned = steps.map((step) => alignedStep(step, here, there, "step"));
  expect(aligned).toEqual([0, 1, 2, 3, 4, 5, 6, null, null]);
});

test("a series has gaps where the other waits or is missing", () => {
  const values = Float32Array.from([10, 11, 12, 13, 14, 15, 16]);
  const gap = NaN;
  expect([...alignedSeries(values, here, there, "episode")]).toEqual(
    [10, 11, gap, gap, 12, 13, 14, gap, gap],
  );
  expect([...alignedSeries(values, here, there, "step")]).toEqual(
    [10, 11, 12, 13, 14, 15, 16, gap, gap],
  );
});

test("gaps part a line and do not move its axis", () => {
  const values = [0, 1, NaN, NaN, 0.5];
  const axis = axisFor(...extent(values));
  expect(axis).toEqual(axisFor(0, 1));
  expect(linePath(values, axis).match(/[ML][\d.]+/g)).toEqual(["M0.5", "L1.5", "M4.5"]);
});
