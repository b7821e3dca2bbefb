import { expect, test } from "vitest";
import { DEFAULTS, fromFragment, toFragment, type Place } from "../src/view/url";

const plain: Place = {
  ...DEFAULTS, trajectory: 3, step: 41, layer: "2b", scores: ["value"], hidden: [], objects: [],
};

test("a plain link says where, and nothing that goes without saying", () => {
  expect(toFragment(plain)).toBe("#trajectory=4&step=42&layer=2b&score=value");
});

test("a place survives its link, with names that need escaping", () => {
  const place: Place = {
    trajectory: 3, step: 41, layer: "conv/2b & more",
    scores: ["RIGHT+UP logit #1", "value", "left | right logits"],
    hidden: [0, 7], residual: true, together: true, onFrame: false, opacity: 0.35,
    feature: 2, human: true, beside: false, bySteps: true, objects: ["saw", "<b>"],
  };
  expect(fromFragment(toFragment(place))).toEqual(place);
});

test("what a link does not say or says wrongly is left out", () => {
  expect(fromFragment("")).toEqual({});
  expect(fromFragment("#trajectory=0&step=-3&opacity=2&residual=maybe&feature=x")).toEqual({});
  expect(fromFragment("#trajectory=1e9&step=2x&layer=2b&hide=1+z+3")).toEqual({ layer: "2b", hidden: [0, 2] });
  expect(fromFragment("#step=99999999999")).toEqual({});
});
