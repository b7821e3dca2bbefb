// Attribution as colour over a frame, as the original interface draws it (rl_clarity/interface.py,
// save_attr): divide by the median over frames of the largest value, blur with exp(-distance), show
// strength as opacity over the grey frame. Unlike it, features that meet are averaged by strength,
// so that a single feature always has exactly the colour of the legend.

import type { Attribution, Observations } from "../data/contract";
import { parseColor } from "./palette";

/** Which part of signed attribution is shown; "either" is its magnitude. */
export type Sign = "positive" | "negative" | "either";

/** What takes part in an overlay: a colour for each feature shown, null for those hidden. */
export interface OverlayColors {
  features: readonly (string | null)[];
  residual: string | null;
}

const BLUR_RADIUS = 7;

interface Tap {
  dy: number;
  dx: number;
  weight: number;
}

/** exp(-distance) inside the disc of radius 7; not normalized, so that a broad patch saturates. */
const BLUR: readonly Tap[] = (() => {
  const taps: Tap[] = [];
  for (let dy = -BLUR_RADIUS; dy <= BLUR_RADIUS; dy++) {
    for (let dx = -BLUR_RADIUS; dx <= BLUR_RADIUS; dx++) {
      const distance = Math.hypot(dy, dx);
      if (distance <= BLUR_RADIUS) taps.push({ dy, dx, weight: Math.exp(-distance) });
    }
  }
  return taps;
})();

/** The attribution that is shown as 1: median over frames of the frame's largest; never 0. */
export function displayScale(attribution: Attribution): number {
  const { maps, mapsScale } = attribution;
  const size = maps.length / mapsScale.length;
  const maxima = new Float64Array(mapsScale.length);
  maxima.fill(-Infinity);
  for (let t = 0; t < mapsScale.length; t++) {
    let largest = -128;
    for (let i = t * size; i < (t + 1) * size; i++) if (maps[i]! > largest) largest = maps[i]!;
    maxima[t] = largest * mapsScale[t]!;
  }
  maxima.sort();
  const middle = maxima.length / 2;
  const median = (maxima[Math.ceil(middle) - 1]! + maxima[Math.floor(middle)]!) / 2;
  if (median > 0) return median;
  const largest = maxima[maxima.length - 1]!;
  return largest > 0 ? largest : 1;
}

function part(value: number, sign: Sign): number {
  if (sign === "either") return Math.abs(value);
  return Math.max(sign === "positive" ? value : -value, 0);
}

/** Strength-weighted colours before the blur: r, g, b, strength at each position of the map. */
export function mixColors(
  attribution: Attribution,
  step: number,
  colors: OverlayColors,
  sign: Sign,
  scale: number,
): Float32Array {
  const { height, width, numFeatures, maps, mapsScale, residual, residualScale } = attribution;
  const size = height * width;
  const mixed = new Float32Array(size * 4);
  const add = (
    source: Int8Array, start: number, stride: number, unit: number, color: string,
  ): void => {
    const [r, g, b] = parseColor(color);
    for (let p = 0; p < size; p++) {
      const strength = part(source[start + p * stride]!, sign) * unit;
      if (strength === 0) continue;
      mixed[p * 4]! += strength * r;
      mixed[p * 4 + 1]! += strength * g;
      mixed[p * 4 + 2]! += strength * b;
      mixed[p * 4 + 3]! += strength;
    }
  };
  colors.features.forEach((color, feature) => {
    if (color === null) return;
    add(maps, step * size * numFeatures + feature, numFeatures, mapsScale[step]! / scale, color);
  });
  if (colors.residual !== null) {
    add(residual, step * size, 1, residualScale[step]! / scale, colors.residual);
  }
  return mixed;
}

/** Adds to each position what its neighbours spread to it; zeros outside the map. */
export function blur(mixed: Float32Array, height: number, width: number): Float32Array {
  const blurred = new Float32Array(mixed.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * 4;
      if (mixed[from + 3] === 0) continue;
      const r = mixed[from]!, g = mixed[from + 1]!, b = mixed[from + 2]!, s = mixed[from + 3]!;
      for (const { dy, dx, weight } of BLUR) {
        const ty = y + dy, tx = x + dx;
        if (ty < 0 || ty >= height || tx < 0 || tx >= width) continue;
        const to = (ty * width + tx) * 4;
        blurred[to]! += weight * r;
        blurred[to + 1]! += weight * g;
        blurred[to + 2]! += weight * b;
        blurred[to + 3]! += weight * s;
      }
    }
  }
  return blurred;
}

/** Luma of a pixel, 0-255 (Rec. 601, as CSS greyscale filters). */
function luma(pixels: Uint8Array, index: number): number {
  return 0.299 * pixels[index]! + 0.587 * pixels[index + 1]! + 0.114 * pixels[index + 2]!;
}

/** One frame in its own colours, RGBA. */
export function drawObservation(
  observations: Observations, step: number, target: Uint8ClampedArray,
): void {
  const size = observations.height * observations.width;
  const start = step * size * 3;
  for (let p = 0; p < size; p++) {
    target[p * 4] = observations.pixels[start + p * 3]!;
    target[p * 4 + 1] = observations.pixels[start + p * 3 + 1]!;
    target[p * 4 + 2] = observations.pixels[start + p * 3 + 2]!;
    target[p * 4 + 3] = 255;
  }
}

/**
 * An overlay of the given opacity over the grey frame, or over black in place of the frame, RGBA.
 */
export function drawOverlay(
  observations: Observations,
  step: number,
  attribution: Attribution,
  colors: OverlayColors,
  sign: Sign,
  scale: number,
  opacity: number,
  onFrame: boolean,
  target: Uint8ClampedArray,
): void {
  const { height, width } = observations;
  const mixed = mixColors(attribution, step, colors, sign, scale);
  const overlay = blur(mixed, attribution.height, attribution.width);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * attribution.height) / height) * attribution.width;
    for (let x = 0; x < width; x++) {
      const from = (row + Math.floor((x * attribution.width) / width)) * 4;
      const to = y * width + x;
      const strength = overlay[from + 3]!;
      const alpha = Math.min(1, strength) * opacity;
      const grey = onFrame ? luma(observations.pixels, (step * height * width + to) * 3) : 0;
      for (let c = 0; c < 3; c++) {
        const color = strength === 0 ? 0 : overlay[from + c]! / strength;
        target[to * 4 + c] = grey * (1 - alpha) + color * alpha;
      }
      target[to * 4 + 3] = 255;
    }
  }
}

/**
 * A trajectory as one picture, RGBA [height, time]: each frame gives the pixel column two thirds
 * from its left, just ahead of the agent (the original interface's scrubber).
 */
export function drawStrip(observations: Observations): ImageData {
  const { numSteps, height, width, pixels } = observations;
  const column = Math.floor((width * 2) / 3);
  const image = new ImageData(numSteps, height);
  for (let t = 0; t < numSteps; t++) {
    for (let y = 0; y < height; y++) {
      const from = ((t * height + y) * width + column) * 3;
      const to = (y * numSteps + t) * 4;
      for (let c = 0; c < 3; c++) image.data[to + c] = pixels[from + c]!;
      image.data[to + 3] = 255;
    }
  }
  return image;
}
