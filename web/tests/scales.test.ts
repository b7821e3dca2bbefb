import { expect, test } from "vitest";
import { axisFor, bandPath, formatAligned, formatNumber, formatSigned, fromTop, linePath, stackEdges, tickStep } from "../src/drawing/scales";

test("tick steps are 1, 2 or 5 times a power of ten and give at least the parts asked for", () => {
  for (let range = 0.013; range < 1e4; range *= 1.37) {
    const step = tickStep(range, 2);
    const mantissa = Number((step / 10 ** Math.floor(Math.log10(step * 1.0001))).toPrecision(6));
    expect([1, 2, 5]).toContain(mantissa);
    expect(range / step).toBeGreaterThanOrEqual(2 - 1e-9);
    expect(range / step).toBeLessThanOrEqual(5 + 1e-9);
  }
});

test("an axis holds zero and the data, with ticks inside", () => {
  const axis = axisFor(-0.5, 6.6);
  expect(axis.ticks).toEqual([0, 2, 4, 6]);
  expect(axis.min).toBeCloseTo(-0.5 - 0.355);
  expect(axis.max).toBeCloseTo(6.6 + 0.355);
  expect(axisFor(3, 4).min).toBe(0);
  expect(axisFor(-4, -3).max).toBe(0);
  expect(axisFor(0, 0).ticks).toContain(0);
});

test("advantages far below one keep distinct ticks", () => {
  const { ticks } = axisFor(-0.004, 0.0031);
  expect(ticks.map(formatNumber)).toEqual(["−0.004", "−0.002", "0", "0.002"]);
});

test("lines pass the middle of each step", () => {
  const axis = { min: 0, max: 10, ticks: [] };
  expect(fromTop(axis, 10)).toBe(0);
  expect(linePath([0, 10, 2.5], axis)).toBe("M0.5 100.00L1.5 0.00L2.5 75.00");
  expect(bandPath([0, 0], [10, 5], axis)).toBe("M0.5 0.00L1.5 50.00L1.5 100.00L0.5 100.00Z");
});

test("features are stacked step by step", () => {
  // Two steps of three features.
  const edges = stackEdges(Float32Array.from([1, 2, 4, 8, 16, 32]), 3);
  expect(edges.map((edge) => [...edge])).toEqual([[0, 0], [1, 8], [3, 24], [7, 56]]);
});

test("numbers have three digits and a true minus sign", () => {
  expect(formatNumber(4.6996)).toBe("4.7");
  expect(formatNumber(-0.01234)).toBe("−0.0123");
  expect(formatNumber(-0)).toBe("0");
  expect(formatNumber(1234.5)).toBe("1230");
  expect(formatNumber(0.00001234)).toBe("1.23e-5");
  expect(formatSigned(2)).toBe("+2");
  expect(formatSigned(-2)).toBe("−2");
  expect(formatSigned(0)).toBe("0");
});

test("aligned numbers have the digits that the largest needs", () => {
  expect([3.3612, -0.046, 0.0004, -12].map((value) => formatAligned(value, 8))).toEqual([
    "+3.36", "−0.05", "0.00", "−12.00",
  ]);
  expect(formatAligned(-0.0123, 0.05)).toBe("−0.0123");
  expect(formatAligned(1234.5, 5000)).toBe("+1235");
});
