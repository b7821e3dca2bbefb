// Names of actions: which arrow stands for one.

const ARROWS: Record<string, string> = {
  LEFT: "←", RIGHT: "→", UP: "↑", DOWN: "↓",
  "LEFT+UP": "↖", "DOWN+LEFT": "↙", "RIGHT+UP": "↗", "DOWN+RIGHT": "↘",
};

/** The arrow of an action such as "right+up", in any order and case; "" for any other button. */
export function arrowOf(name: string): string {
  return ARROWS[name.toUpperCase().split("+").sort().join("+")] ?? "";
}
