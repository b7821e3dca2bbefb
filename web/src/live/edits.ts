// Which edit does what the reader's hand does: moving, removing, adding; and the words for it.

import type { Cell, Point } from "./geometry";
import { shifted } from "./geometry";
import type { Event, Scene, Thing } from "./protocol";

/** What can be put into a cell. */
export const STAMPS = ["saw", "crate", "enemy", "coin", "wall", "lava", "empty"] as const;
export type Stamp = (typeof STAMPS)[number];

/** The kinds that an edit moves; of the others, cells are emptied. */
const MOVABLE = ["agent", "coin", "crate", "enemy", "saw"];

export const isMovable = ({ kind }: Thing): boolean => MOVABLE.includes(kind);
export const isRemovable = ({ kind }: Thing): boolean => kind !== "agent";

const LEVEL_SIZE = 64;
const isInLevel = (place: Point): boolean =>
  place.every((along) => along >= 0 && along < LEVEL_SIZE);
/** Finer than a pixel, and short in a link. */
const rounded = (number: number): number => Math.round(number * 100) / 100;

/** How far a thing goes that is dragged by cells (right, up): whole cells where it lies in one. */
export function allowedMove(thing: Thing, [x, y]: Point): Point {
  if (thing.kind === "agent") return [rounded(x), rounded(y)];
  if (thing.kind === "enemy") return [rounded(x), Math.round(y)];
  return [Math.round(x), Math.round(y)];
}

/** The thing where `allowedMove` takes it. */
export function movedThing(thing: Thing, scene: Scene, move: Point): Thing {
  const [dx, dy] = allowedMove(thing, move);
  return {
    ...thing,
    box: shifted(thing.box, scene, [dx, dy]),
    ...(thing.cell && { cell: [thing.cell[0] + dy, thing.cell[1] + dx] as const }),
    ...(thing.row !== undefined && { row: thing.row + dy }),
    ...(thing.x !== undefined && { x: rounded(thing.x + dx) }),
    ...(thing.y !== undefined && { y: rounded(thing.y + dy) }),
  };
}

/** Moves a thing by cells (right, up); null: it cannot, or would leave the level. */
export function moveEvent(thing: Thing, scene: Scene, move: Point): Event | null {
  const { kind, cell, slot, row, x, y } = movedThing(thing, scene, move);
  if (thing.cell && cell) {
    if (!isInLevel(cell)) return null;
    if (kind === "coin") return { edit: "move_coin", cell };
    if (kind === "saw") return { edit: "move_saw", source: thing.cell, target: cell };
    if (kind === "crate") return { edit: "move_crates", source: thing.cell, target: cell };
  }
  if (x === undefined || !isInLevel([x, row ?? y ?? -1])) return null;
  if (slot !== undefined && row !== undefined) return { edit: "move_enemy", slot, x, row };
  return kind === "agent" && y !== undefined ? { edit: "move_agent", x, y } : null;
}

/** Takes a thing away; null: it stays. */
export function removeEvent({ kind, cell, slot }: Thing): Event | null {
  if (kind === "enemy" && slot !== undefined) return { edit: "remove_enemy", slot };
  if (!cell) return null;
  if (kind === "saw") return { edit: "remove_saw", cell };
  if (kind === "crate") return { edit: "remove_crates", cell };
  return { edit: "set_cell", cell, content: "empty" };
}

/** Puts something into a cell; null outside the level. The coin comes from where it was. */
export function stampEvent(stamp: Stamp, cell: Cell): Event | null {
  if (!isInLevel(cell)) return null;
  switch (stamp) {
    case "saw":
      return { edit: "add_saw", cell };
    case "crate":
      return { edit: "add_crate", cell };
    case "enemy":
      return { edit: "add_enemy", x: cell[1] + 0.5, row: cell[0] };
    case "coin":
      return { edit: "move_coin", cell };
    default:
      return { edit: "set_cell", cell, content: stamp };
  }
}

/** Pixels that are painted over from now on. */
export const BLANK_COLOR = [128, 128, 128] as const;

/** @param places row * width + column of each pixel. */
export function blankEvent(places: Iterable<number>, width: number): Event {
  const pixels = [...places]
    .sort((a, b) => a - b)
    .map((place): Cell => [Math.floor(place / width), place % width]);
  return { edit: "blank", pixels, color: BLANK_COLOR };
}

/** The same thing of another moment. */
export function sameThing(a: Thing, b: Thing): boolean {
  const where = ({ kind, cell, slot }: Thing): string => `${kind} ${slot ?? cell?.join() ?? ""}`;
  return where(a) === where(b);
}

const ENDS: Record<string, string> = {
  complete: "The agent reached the coin",
  enemy_left: "An enemy got the agent",
  enemy_right: "An enemy got the agent",
  lava: "The agent fell into lava",
  out_of_bounds: "The agent fell out of the level",
  saw: "A saw got the agent",
  timeout: "The time was up",
};

/** How an episode ended, as the beginning of a sentence. */
export const wordsOfEnd = (end: string): string =>
  Object.hasOwn(ENDS, end) ? ENDS[end]! : `The episode ended (${end.replaceAll("_", " ")})`;
