import { expect, test } from "vitest";
import { fromFragment, toFragment } from "../src/view/url";

test("a place survives its link, with names that need escaping", () => {
  const place = { trajectory: 3, step: 41, layer: "conv/2b & more", score: "RIGHT+UP logit #1" };
  const fragment = toFragment(place);
  expect(fragment).toMatch(/^#trajectory=4&step=42&/);
  expect(fromFragment(fragment)).toEqual(place);
});

test("what a link does not say or says wrongly is left out", () => {
  expect(fromFragment("")).toEqual({});
  expect(fromFragment("#trajectory=0&step=-3")).toEqual({});
  expect(fromFragment("#trajectory=1e9&step=2x&layer=2b")).toEqual({ layer: "2b" });
  expect(fromFragment("#step=99999999999")).toEqual({});
});
