import { expect, test } from "vitest";
import { arrowOf } from "../src/data/actions";

test("directions have arrows, in any order and case, other buttons none", () => {
  expect(["left", "RIGHT+UP", "up+right", "Left+Down", "down"].map(arrowOf)).toEqual(["←", "↗", "↗", "↙", "↓"]);
  expect(["D", "none", "", "left+right", "action 3", "constructor"].map(arrowOf)).toEqual(["", "", "", "", "", ""]);
});
