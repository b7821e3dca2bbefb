// A history as a few letters of the address, and back: "remove_saw*12*3 7x24 blank*808080*g5-4".
// Events are apart by spaces; an action is its number, times how often; an edit its arguments.

import type { Cell } from "./geometry";
import { isAction } from "./history";
import type { Argument, Event } from "./protocol";

type Kind = "number" | "word" | "flag" | "cell" | "pixels" | "color";

/** The arguments of every edit, in the order of the link. */
const EDITS: Record<string, readonly (readonly [name: string, kind: Kind])[]> = {
  remove: [["kind", "word"]],
  move_coin: [["cell", "cell"]],
  add_saw: [["cell", "cell"]],
  remove_saw: [["cell", "cell"]],
  move_saw: [["source", "cell"], ["target", "cell"]],
  add_crate: [["cell", "cell"]],
  remove_crates: [["cell", "cell"]],
  move_crates: [["source", "cell"], ["target", "cell"]],
  add_enemy: [["x", "number"], ["row", "number"]],
  move_enemy: [["slot", "number"], ["x", "number"], ["row", "number"]],
  remove_enemy: [["slot", "number"]],
  move_agent: [["x", "number"], ["y", "number"]],
  set_velocity: [["x", "number"], ["y", "number"]],
  set_cell: [["cell", "cell"], ["content", "word"]],
  set_background: [["background", "number"]],
  set_ground_theme: [["theme", "number"]],
  set_player_theme: [["theme", "number"]],
  set_visible: [["kind", "word"], ["visible", "flag"]],
  blank: [["color", "color"], ["pixels", "pixels"]],
};

/** Rows of more columns than this are not written, nor read. */
const PITCH = 1024;

/** Pixels as runs in reading order: "start-length.start-length", base 36. */
function packPixels(pixels: readonly Cell[]): string {
  const places = pixels.map(([row, column]) => row * PITCH + column).sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const place of places) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === place) last[1]++;
    else runs.push([place, 1]);
  }
  return runs.map((run) => run.map((number) => number.toString(36)).join("-")).join(".");
}

function unpackPixels(text: string): Cell[] | null {
  const pixels: Cell[] = [];
  for (const run of text.split(".")) {
    const match = /^([0-9a-z]{1,4})-([0-9a-z]{1,2})$/.exec(run);
    if (!match) return null;
    const [start, length] = [parseInt(match[1]!, 36), parseInt(match[2]!, 36)];
    for (let place = start; place < start + length; place++) {
      pixels.push([Math.floor(place / PITCH), place % PITCH]);
    }
  }
  return pixels;
}

const hex = (number: number): string => number.toString(16).padStart(2, "0");

function write(kind: Kind, value: Argument): string {
  if (kind === "cell") return (value as Cell).join("*");
  if (kind === "pixels") return packPixels(value as readonly Cell[]);
  if (kind === "color") return (value as readonly number[]).map(hex).join("");
  return String(value);
}

/** Takes an argument's words off the list; null if they are not of its kind. */
function read(kind: Kind, words: string[]): Argument | null {
  const word = words.shift() ?? "";
  const number = (text: string): number | null =>
    /^-?\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : null;
  switch (kind) {
    case "number":
      return number(word);
    case "word":
      return /^[a-z_]{1,20}$/.test(word) ? word : null;
    case "flag":
      return word === "true" || word === "false" ? word === "true" : null;
    case "pixels":
      return unpackPixels(word);
    case "color":
      return /^[0-9a-f]{6}$/.test(word)
        ? [0, 2, 4].map((at) => parseInt(word.slice(at, at + 2), 16))
        : null;
    case "cell": {
      const cell = [number(word), number(words.shift() ?? "")] as const;
      return cell[0] !== null && cell[1] !== null ? (cell as Cell) : null;
    }
  }
}

export function toLink(events: readonly Event[]): string {
  const words: string[] = [];
  let repeats = 0;
  events.forEach((event, index) => {
    if (isAction(event)) {
      repeats++;
      const next = events[index + 1];
      if (isAction(next) && next.action === event.action) return;
      words.push(repeats > 1 ? `${event.action}x${repeats}` : String(event.action));
      repeats = 0;
      return;
    }
    const parts = EDITS[event.edit]!.map(([name, kind]) => write(kind, event[name]!));
    words.push([event.edit, ...parts].join("*"));
  });
  return words.join(" ");
}

/** The most that a link may make the server do. */
const MAX_EVENTS = 4096;

/** The events of a link; null if it makes no sense. */
export function fromLink(link: string): Event[] | null {
  const events: Event[] = [];
  for (const word of link.split(" ").filter(Boolean)) {
    const actions = /^(\d{1,3})(?:x(\d{1,4}))?$/.exec(word);
    if (actions) {
      const repeats = Number(actions[2] ?? 1);
      for (let i = 0; i < repeats; i++) events.push({ action: Number(actions[1]) });
    } else {
      const [name = "", ...words] = word.split("*");
      if (!Object.hasOwn(EDITS, name)) return null;
      const args = EDITS[name]!.map(([argument, kind]) => [argument, read(kind, words)] as const);
      if (words.length > 0 || args.some(([, value]) => value === null)) return null;
      events.push({ edit: name, ...(Object.fromEntries(args) as Record<string, Argument>) });
    }
    if (events.length > MAX_EVENTS) return null;
  }
  return events;
}
