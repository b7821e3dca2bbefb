// Keys of the page. `describe` feeds the help, so that what is listed is what works.

import type { View } from "./view.svelte";

export interface Hotkey {
  /** Names shown in the help. */
  keys: string[];
  description: string;
  matches: (event: KeyboardEvent) => boolean;
  run: (view: View, event: KeyboardEvent) => void;
}

const key =
  (name: string, shift: boolean | null = null) =>
  (event: KeyboardEvent): boolean =>
    event.key === name && (shift === null || event.shiftKey === shift);

const MOVING_KEYS: readonly Hotkey[] = [
  { keys: ["space"], description: "play or pause", matches: key(" "), run: (view) => view.togglePlay() },
  { keys: ["←"], description: "one step back", matches: key("ArrowLeft", false), run: (view) => view.moveBy(-1) },
  { keys: ["→"], description: "one step on", matches: key("ArrowRight", false), run: (view) => view.moveBy(1) },
  { keys: ["shift", "←"], description: "start of the episode, then the one before", matches: key("ArrowLeft", true), run: (view) => view.previousEpisode() },
  { keys: ["shift", "→"], description: "start of the next episode", matches: key("ArrowRight", true), run: (view) => view.nextEpisode() },
  { keys: ["home"], description: "first step", matches: key("Home"), run: (view) => view.seek(0) },
  { keys: ["end"], description: "last step", matches: key("End"), run: (view) => view.seek(view.numSteps - 1) },
  { keys: ["["], description: "previous trajectory", matches: key("["), run: (view) => view.selectTrajectory(view.trajectory - 1) },
  { keys: ["]"], description: "next trajectory", matches: key("]"), run: (view) => view.selectTrajectory(view.trajectory + 1) },
];

/** What changes how things are shown; these work in the editor too. */
export const DISPLAY_KEYS: readonly Hotkey[] = [
  { keys: ["1", "…", "9"], description: "show or hide a feature", matches: (event) => /^[1-9]$/.test(event.key), run: (view, event) => view.toggle(Number(event.key) - 1) },
  { keys: ["shift", "1", "…", "9"], description: "examples of a feature", matches: (event) => event.shiftKey && /^Digit[1-9]$/.test(event.code), run: (view, event) => view.open(Number(event.code.slice(5)) - 1) },
  { keys: ["f"], description: "attribution over the frame, or alone", matches: key("f"), run: (view) => { view.onFrame = !view.onFrame; } },
  { keys: ["s"], description: "signs together or apart", matches: key("s"), run: (view) => { view.combineSigns = !view.combineSigns; } },
  { keys: ["r"], description: "show or hide the residual", matches: key("r"), run: (view) => view.toggle("residual") },
  { keys: ["?"], description: "this list", matches: key("?"), run: (view) => { view.helpOpen = !view.helpOpen; } },
];

export const HOTKEYS: readonly Hotkey[] = [...MOVING_KEYS, ...DISPLAY_KEYS];

/** Whether the key belongs to the control that has the focus. */
function belongsToControl(event: KeyboardEvent): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches("input:not([type]), textarea")) return true; // text
  if (target.closest("dialog[open]")) return event.key !== "?";
  if (target.matches("input[type=checkbox]")) return event.key === " ";
  if (target.matches("input, select, textarea")) return true;
  // Space presses a button reached by keyboard; after a click it plays.
  return event.key === " " && target.matches("button:focus-visible");
}

export function handleKey(
  view: View, event: KeyboardEvent, hotkeys: readonly Hotkey[] = HOTKEYS,
): void {
  if (event.ctrlKey || event.metaKey || event.altKey || belongsToControl(event)) return;
  const hotkey = hotkeys.find(({ matches }) => matches(event));
  if (!hotkey) return;
  event.preventDefault();
  hotkey.run(view, event);
}
