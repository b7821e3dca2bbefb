// Places in the frame (shares of it, from its top left), in the world (cells, y upwards) and in pixels.

import type { Scene } from "./protocol";

/** A cell of the level, rows from the bottom; or a pixel, rows from the top. */
export type Cell = readonly [row: number, column: number];
export type Point = readonly [x: number, y: number];
export type Box = readonly [left: number, top: number, right: number, bottom: number];

export const toWorld = ({ origin, cells }: Scene, [x, y]: Point): Point => [
  origin[0] + x * cells,
  origin[1] - y * cells,
];

/** The cell that is seen at a place of the frame. */
export function cellAt(scene: Scene, place: Point): Cell {
  const [x, y] = toWorld(scene, place);
  return [Math.floor(y), Math.floor(x)];
}

/** Where a cell is seen. */
export function boxOf({ origin, cells }: Scene, [row, column]: Cell): Box {
  const left = (column - origin[0]) / cells;
  const bottom = (origin[1] - row) / cells;
  return [left, bottom - 1 / cells, left + 1 / cells, bottom];
}

/** A box moved by cells: right and up. */
export function shifted([left, top, right, bottom]: Box, scene: Scene, [x, y]: Point): Box {
  const [dx, dy] = [x / scene.cells, -y / scene.cells];
  return [left + dx, top + dy, right + dx, bottom + dy];
}

/** Whether any of a box is in the frame. */
export const isSeen = ([left, top, right, bottom]: Box): boolean =>
  right > 0 && left < 1 && bottom > 0 && top < 1;

/** Indices (row * width + column) of the pixels under a round brush, `size` pixels across. */
export function brushed([x, y]: Point, size: number, width: number, height: number): number[] {
  const [centreX, centreY] = [x * width, y * height];
  const radius = size / 2;
  const pixels: number[] = [];
  const first = (centre: number): number => Math.max(0, Math.floor(centre - radius));
  for (let row = first(centreY); row < Math.min(height, centreY + radius); row++) {
    for (let column = first(centreX); column < Math.min(width, centreX + radius); column++) {
      // The pixel under the point always counts, however small the brush.
      const isUnder = row === Math.floor(centreY) && column === Math.floor(centreX);
      const distance = Math.hypot(column + 0.5 - centreX, row + 0.5 - centreY);
      if (isUnder || distance <= radius) pixels.push(row * width + column);
    }
  }
  return pixels;
}

/** The places on the way from one point to another, so close that a brush leaves no gap. */
export function between([x0, y0]: Point, [x1, y1]: Point, width: number): Point[] {
  const count = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) * width));
  return Array.from({ length: count }, (_, i): Point => [
    x0 + ((x1 - x0) * (i + 1)) / count,
    y0 + ((y1 - y0) * (i + 1)) / count,
  ]);
}
