import { expect, test } from "vitest";
import { wrap } from "../src/drawing/picture";

test("keys go on to the next line where a line is full", () => {
  expect(wrap([40, 50, 20, 90, 10], 100)).toEqual([[0, 1], [2], [3, 4]]);
});

test("a key wider than the line has a line of its own", () => {
  expect(wrap([10, 300, 10], 100)).toEqual([[0], [1], [2]]);
  expect(wrap([], 100)).toEqual([]);
});
