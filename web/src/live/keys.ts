// Keys of the editor; those of things and of the brush are with them.

import { arrowOf } from "../data/actions";
import type { Editor } from "./editor.svelte";
import type { Point } from "./geometry";

/** Where the arrow keys point, right and up. */
export const ARROWS: Record<string, Point> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
};

/** What the help lists while editing. */
export const EDITOR_KEYS: readonly { keys: string[]; description: string }[] = [
  { keys: ["tab"], description: "to the next thing, tool or control" },
  { keys: ["←", "↑", "→", "↓"], description: "move the thing, or where the tool works; with shift less far" },
  { keys: ["enter"], description: "use the tool there" },
  { keys: ["delete"], description: "remove the thing" },
  { keys: ["ctrl", "z"], description: "undo" },
  { keys: ["ctrl", "y"], description: "redo" },
  { keys: ["space"], description: "by hand: do nothing for a step" },
  { keys: ["escape"], description: "stop playing by hand" },
];

const DIRECTIONS = [
  ["↖", "↑", "↗"],
  ["←", "", "→"],
  ["↙", "↓", "↘"],
];

/** The arrow that several keys held down make together; "" if they cancel out. */
export function arrowOfKeys(held: Iterable<string>): string {
  let [x, y] = [0, 0];
  for (const key of held) {
    x += ARROWS[key]?.[0] ?? 0;
    y += ARROWS[key]?.[1] ?? 0;
  }
  return DIRECTIONS[1 - Math.sign(y)]![1 + Math.sign(x)]!;
}

/** Name of the action that does nothing, in any of the games' ways of writing it. */
const isNothing = (name: string): boolean => /^(|none|noop|nothing)$/i.test(name);

/** The action of an arrow, "" for that which does nothing; -1: the game has none. */
export function actionOfArrow(names: readonly string[], arrow: string): number {
  return names.findIndex((name) => (arrow === "" ? isNothing(name) : arrowOf(name) === arrow));
}

const held = new Set<string>();

function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLElement && target.matches("input, select, textarea");
}

export function handleEditorKey(editor: Editor, event: KeyboardEvent): void {
  const isCommand = event.ctrlKey || event.metaKey;
  if (isCommand && !event.altKey && /^[zy]$/i.test(event.key)) {
    event.preventDefault();
    if (event.key.toLowerCase() === "y" || event.shiftKey) editor.redo();
    else editor.undo();
    return;
  }
  if (isCommand || event.altKey || event.defaultPrevented) return;
  if (event.key === "Escape") {
    editor.byHand = false;
    return;
  }
  if (!editor.byHand || isTyping(event)) return;
  const isWait = event.key === " " || event.key === ".";
  if (!isWait && !(event.key in ARROWS)) return;
  event.preventDefault();
  if (!isWait) held.add(event.key);
  // Held keys repeat faster than the server answers.
  if (event.repeat && editor.isBusy) return;
  const action = actionOfArrow(editor.view.report.actionNames, isWait ? "" : arrowOfKeys(held));
  if (action >= 0) editor.act(action);
}

export function releaseEditorKey(event: KeyboardEvent): void {
  held.delete(event.key);
}

/** Keys are released elsewhere once the window has lost the focus. */
export function releaseAllKeys(): void {
  held.clear();
}
