import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Attribution, Observations } from "../src/data/contract";
import { blur, displayScale, drawOverlay, mixColors, type OverlayColors } from "../src/drawing/overlay";

/** Attribution with the given int8 steps, [time, height, width, feature]. */
function attributionOf(shape: [number, number, number, number], maps: number[], scales: number[]): Attribution {
  const [time, height, width, numFeatures] = shape;
  const zeros = () => new Float32Array(time * numFeatures);
  return {
    height, width, numFeatures,
    maps: Int8Array.from(maps),
    mapsScale: Float32Array.from(scales),
    residual: new Int8Array(time * height * width),
    residualScale: new Float32Array(time),
    positive: zeros(), negative: zeros(),
    residualPositive: new Float32Array(time), residualNegative: new Float32Array(time),
  };
}

const grey = (level: number, height: number, width: number): Observations => ({
  numSteps: 1, height, width, pixels: new Uint8Array(height * width * 3).fill(level),
});

test("display scale is the median over frames of the largest value", () => {
  // Largest: 10 * 0.1, 20 * 0.1, 100 * 0.1 -> median 2; magnitudes of negative values do not count.
  const attribution = attributionOf([3, 1, 2, 1], [10, -90, 20, 0, 100, 3], [0.1, 0.1, 0.1]);
  expect(displayScale(attribution)).toBeCloseTo(2, 5);
});

test("display scale averages the middle two of an even number of frames", () => {
  expect(displayScale(attributionOf([2, 1, 1, 1], [10, 30], [1, 1]))).toBe(20);
});

test("display scale falls back to the largest, then to 1", () => {
  expect(displayScale(attributionOf([3, 1, 1, 1], [0, 0, 7], [1, 1, 1]))).toBe(7);
  expect(displayScale(attributionOf([2, 1, 1, 1], [0, -5], [1, 1]))).toBe(1);
});

test("colours are weighted by strength and signs are kept apart", () => {
  const attribution = attributionOf([1, 1, 1, 3], [30, 10, -20], [0.5]);
  const colors: OverlayColors = { features: ["#ff0000", "#0000ff", "#00ff00"], residual: null };
  expect([...mixColors(attribution, 0, colors, "positive", 5)]).toEqual([3 * 255, 0, 255, 4]);
  expect([...mixColors(attribution, 0, colors, "negative", 5)]).toEqual([0, 2 * 255, 0, 2]);
  expect([...mixColors(attribution, 0, colors, "either", 5)]).toEqual([3 * 255, 2 * 255, 255, 6]);
});

test("hidden features take no part", () => {
  const attribution = attributionOf([1, 1, 1, 2], [30, 10], [1]);
  const mixed = mixColors(attribution, 0, { features: [null, "#0000ff"], residual: null }, "positive", 10);
  expect([...mixed]).toEqual([0, 0, 255, 1]);
});

test("the residual is added in its own colour and scale", () => {
  const attribution = attributionOf([1, 1, 1, 1], [10], [1]);
  attribution.residual[0] = 4;
  attribution.residualScale[0] = 5;
  const mixed = mixColors(attribution, 0, { features: [null], residual: "#ffffff" }, "positive", 10);
  expect([...mixed]).toEqual([510, 510, 510, 2]);
});

test("a point spreads as exp(-distance) and stops at seven positions", () => {
  const size = 17;
  const mixed = new Float32Array(size * size * 4);
  mixed[(8 * size + 8) * 4 + 3] = 1;
  const strengthAt = (y: number, x: number) => blur(mixed, size, size)[(y * size + x) * 4 + 3]!;
  expect(strengthAt(8, 8)).toBe(1);
  expect(strengthAt(8, 10)).toBeCloseTo(Math.exp(-2), 6);
  expect(strengthAt(11, 12)).toBeCloseTo(Math.exp(-5), 6);
  expect(strengthAt(8, 15)).toBeCloseTo(Math.exp(-7), 6);
  expect(strengthAt(8, 16)).toBe(0);
  expect(strengthAt(13, 13)).toBe(0); // distance 7.07
});

test("a saturated feature shows the legend's colour, over the grey frame by the opacity", () => {
  const attribution = attributionOf([1, 1, 1, 1], [100], [1]);
  const target = new Uint8ClampedArray(2 * 2 * 4);
  const colors: OverlayColors = { features: ["#2da5ff"], residual: null };
  drawOverlay(grey(100, 2, 2), 0, attribution, colors, "positive", 50, 0.75, true, target);
  // 100 * 0.25 + (45, 165, 255) * 0.75, at every pixel that the one position covers.
  for (let p = 0; p < 4; p++) expect([...target.slice(p * 4, p * 4 + 4)]).toEqual([59, 149, 216, 255]);
});

test("without attribution the frame's luma is shown", () => {
  const observations = grey(0, 1, 1);
  observations.pixels.set([200, 100, 50]);
  const target = new Uint8ClampedArray(4);
  const attribution = attributionOf([1, 1, 1, 1], [-100], [1]);
  drawOverlay(observations, 0, attribution, { features: ["#ff0000"], residual: null }, "positive", 1, 1, true, target);
  expect([...target]).toEqual([124, 124, 124, 255]);
});

test("without the frame the attribution lies on black", () => {
  const attribution = attributionOf([1, 1, 1, 1], [100], [1]);
  const target = new Uint8ClampedArray(4);
  const colors: OverlayColors = { features: ["#2da5ff"], residual: null };
  drawOverlay(grey(100, 1, 1), 0, attribution, colors, "positive", 200, 1, false, target);
  expect([...target]).toEqual([22, 82, 128, 255]); // half of the colour, rounded half to even
});

test("opacity of one feature equals the original interface's image", () => {
  const golden = JSON.parse(readFileSync(new URL("golden/overlay.json", import.meta.url), "utf8"));
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
  const values = new Float32Array(bytes(golden.maps).buffer);
  for (const sign of ["positive", "negative"] as const) {
    const mixed = new Float32Array(values.length * 4);
    values.forEach((value, p) => {
      mixed[p * 4 + 3] = Math.max(sign === "positive" ? value : -value, 0) / golden.scale;
    });
    const strength = blur(mixed, golden.height, golden.width);
    const want = bytes(golden[`${sign}_alpha`]);
    // The original cuts off fractions when it saves its image: at most one level below ours.
    want.forEach((level, p) => {
      const got = Math.min(1, strength[p * 4 + 3]!) * 255;
      expect(got).toBeGreaterThanOrEqual(level - 0.01);
      expect(got).toBeLessThan(level + 1.01);
    });
  }
});
