// Dataset examples by position: a patch for each cell, its opacity by the feature's strength there
// (rescale_opacity of lucid.scratch.rl_util.nmf).

import type { ExampleGrid, Observations } from "../data/contract";

/** What lies under patches that are not opaque. */
export const GROUND = 128;
const MIN_OPACITY = 15 / 255;
/** Share of the cells that are opaque. */
const OPAQUE_SHARE = 0.1;
/** The weakest strength that is opaque is at least this part of the strongest. */
const MAX_SCALE = 10;
const CHECKERBOARD = [191, 255] as const;

/** Value below which a share of sorted numbers lies, interpolated between two of them. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below]!;
  return low + (place - below) * (sorted[Math.min(below + 1, sorted.length - 1)]! - low);
}

/** Opacity of each cell: strong cells are opaque, none is invisible. */
export function cellOpacities(grid: ExampleGrid): Float64Array {
  const sorted = Float64Array.from(grid.strengths).sort();
  const strongest = sorted[sorted.length - 1] ?? 0;
  const threshold = Math.max(quantile(sorted, 1 - OPAQUE_SHARE), strongest / MAX_SCALE);
  return Float64Array.from(grid.strengths, (strength) =>
    Math.min(1, MIN_OPACITY + (threshold > 0 ? (strength / threshold) * (1 - MIN_OPACITY) : 0)),
  );
}

/** Top left corner and side, in pixels of the frame, of the patch around a cell's centre. */
export function patchAt(
  grid: ExampleGrid, cell: number, examples: Observations, side: number,
): { top: number; left: number; side: number } {
  const row = Math.floor(cell / grid.numColumns), column = cell % grid.numColumns;
  return {
    top: grid.rows[row]! * examples.height - side / 2,
    left: grid.columns[column]! * examples.width - side / 2,
    side,
  };
}

/**
 * All cells, each `cellSize` pixels wide and high, RGBA [numRows * cellSize, numColumns * cellSize].
 * Beyond the edge of a frame patches show a checkerboard.
 */
export function drawExamples(
  grid: ExampleGrid,
  examples: Observations,
  side: number,
  cellSize: number,
  target: Uint8ClampedArray,
): void {
  const { numRows, numColumns } = grid;
  const { height, width, pixels } = examples;
  const opacities = cellOpacities(grid);
  const pitch = numColumns * cellSize;
  for (let cell = 0; cell < numRows * numColumns; cell++) {
    const { top, left } = patchAt(grid, cell, examples, side);
    const alpha = opacities[cell]!;
    const frame = grid.frames[cell]! * height * width * 3;
    const corner = (Math.floor(cell / numColumns) * pitch + (cell % numColumns)) * cellSize;
    for (let i = 0; i < cellSize; i++) {
      const y = Math.floor(top + ((i + 0.5) * side) / cellSize);
      for (let j = 0; j < cellSize; j++) {
        const x = Math.floor(left + ((j + 0.5) * side) / cellSize);
        const inside = y >= 0 && y < height && x >= 0 && x < width;
        const from = frame + (y * width + x) * 3;
        const to = (corner + i * pitch + j) * 4;
        for (let c = 0; c < 3; c++) {
          const color = inside ? pixels[from + c]! : CHECKERBOARD[(((y + x) % 2) + 2) % 2 as 0 | 1];
          target[to + c] = GROUND * (1 - alpha) + color * alpha;
        }
        target[to + 3] = 255;
      }
    }
  }
}
