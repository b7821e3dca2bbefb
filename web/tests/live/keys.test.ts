import { expect, test } from "vitest";
import { actionOfArrow, arrowOfKeys } from "../../src/live/keys";

const NAMES = ["left+down", "left", "left+up", "down", "none", "up", "right+down", "right", "right+up", "D"];

test("keys held together make a diagonal; opposite ones cancel", () => {
  expect(arrowOfKeys(["ArrowRight"])).toBe("→");
  expect(arrowOfKeys(["ArrowUp", "ArrowRight"])).toBe("↗");
  expect(arrowOfKeys(["ArrowDown", "ArrowLeft"])).toBe("↙");
  expect(arrowOfKeys(["ArrowLeft", "ArrowRight", "ArrowUp"])).toBe("↑");
  expect(arrowOfKeys(["ArrowLeft", "ArrowRight"])).toBe("");
});

test("an arrow finds its action whatever the game calls it", () => {
  expect(["↗", "←", "↓", ""].map((arrow) => actionOfArrow(NAMES, arrow))).toEqual([8, 1, 3, 4]);
  expect(["→", "↗", ""].map((arrow) => actionOfArrow(["NOOP", "FIRE", "RIGHT"], arrow))).toEqual([2, -1, 0]);
  expect(actionOfArrow(["LEFT", "", "RIGHT"], "")).toBe(1);
});
