// Object masks: where things are, and how much of a feature's attribution lies on them.

import type { Attribution, Objects } from "../data/contract";
import { parseColor } from "./palette";

/** Whether an object is seen in a pixel of a frame. */
export function isSeen(objects: Objects, step: number, object: number, y: number, x: number): boolean {
  const { numObjects, height, rowBytes, bits } = objects;
  const byte = ((step * numObjects + object) * height + y) * rowBytes + (x >> 3);
  return ((bits[byte]! >> (7 - (x & 7))) & 1) === 1;
}

/** Opacity of an object's colour over the observation. */
export const MARK_OPACITY = 0.65;

/** Colours the pixels of the objects that have a colour, over what is drawn, RGBA. */
export function drawObjects(
  objects: Objects,
  step: number,
  colors: readonly (string | null)[],
  width: number,
  target: Uint8ClampedArray,
): void {
  colors.forEach((color, object) => {
    if (color === null) return;
    const rgb = parseColor(color);
    for (let y = 0; y < objects.height; y++) {
      for (let x = 0; x < width; x++) {
        if (!isSeen(objects, step, object, y, x)) continue;
        const to = (y * width + x) * 4;
        for (let c = 0; c < 3; c++) {
          target[to + c] = target[to + c]! * (1 - MARK_OPACITY) + rgb[c]! * MARK_OPACITY;
        }
      }
    }
  });
}

export interface Agreement {
  /**
   * [feature][object]: how many times as much of the feature's attribution, of either sign, lies on
   * the object as on as large a part of the whole frame; over the steps at which it is seen.
   */
  features: number[][];
  /** [object]: steps at which it is seen. */
  stepsSeen: number[];
}

/**
 * How densely features lie on objects along a trajectory. A position of the layer stands for the
 * pixels under it, and its attribution is spread evenly over them; objects may lie over each other.
 */
export function agreement(attribution: Attribution, objects: Objects, width: number): Agreement {
  const { height: rows, width: columns, numFeatures, maps, mapsScale } = attribution;
  const { numObjects, height } = objects;
  const zeros = () =>
    Array.from({ length: numFeatures }, () => new Array<number>(numObjects).fill(0));
  const on = zeros(), everywhere = zeros();
  const area = new Array<number>(numObjects).fill(0);
  const stepsSeen = new Array<number>(numObjects).fill(0);
  const covered = new Float64Array(rows * columns);
  const inFrame = new Float64Array(numFeatures);
  const pixelsPerPosition = (height / rows) * (width / columns);
  for (let t = 0; t < mapsScale.length; t++) {
    const start = t * rows * columns * numFeatures;
    const at = (index: number): number => Math.abs(maps[start + index]!) * mapsScale[t]!;
    inFrame.fill(0);
    for (let i = 0; i < rows * columns * numFeatures; i++) inFrame[i % numFeatures]! += at(i);
    for (let object = 0; object < numObjects; object++) {
      covered.fill(0);
      let pixels = 0;
      for (let y = 0; y < height; y++) {
        const row = Math.floor((y * rows) / height) * columns;
        for (let x = 0; x < width; x++) {
          if (!isSeen(objects, t, object, y, x)) continue;
          covered[row + Math.floor((x * columns) / width)]! += 1 / pixelsPerPosition;
          pixels++;
        }
      }
      if (pixels === 0) continue;
      area[object]! += pixels / (height * width);
      stepsSeen[object]!++;
      for (let f = 0; f < numFeatures; f++) everywhere[f]![object]! += inFrame[f]!;
      for (let p = 0; p < covered.length; p++) {
        if (covered[p] === 0) continue;
        for (let f = 0; f < numFeatures; f++) {
          on[f]![object]! += at(p * numFeatures + f) * covered[p]!;
        }
      }
    }
  }
  const features = on.map((row, f) =>
    row.map((sum, object) => {
      const expected = (everywhere[f]![object]! * area[object]!) / (stepsSeen[object]! || 1);
      return expected > 0 ? sum / expected : 0;
    }),
  );
  return { features, stepsSeen };
}
