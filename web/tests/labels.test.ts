import { expect, test } from "vitest";
import { parseLabels } from "../src/view/labels";

test("a labels file is read back", () => {
  const labels = { format: "rlvision-labels", version: 1, layers: { "2b": ["coin", "<b>saw</b>"] } };
  expect(parseLabels(JSON.stringify(labels))).toEqual(labels);
});

test.each([
  ["not JSON", "This file is not JSON"],
  ["null", "This is no labels file"],
  ['{"format": "rlvision-report", "version": 1}', "This is no labels file"],
  ['{"format": "rlvision-labels", "version": 1, "layers": {"2b": "coin"}}', "must have a list of names"],
  ['{"format": "rlvision-labels", "version": 1, "layers": {"2b": [1]}}', "must have a list of names"],
])("%s is refused in a sentence", (text, message) => {
  expect(() => parseLabels(text)).toThrow(message);
});
