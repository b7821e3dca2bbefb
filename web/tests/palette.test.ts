import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { colorOf, contrast, parseColor, textOn } from "../src/drawing/palette";

test("colours are parsed", () => {
  expect(parseColor("#2da5ff")).toEqual([45, 165, 255]);
});

test("contrast follows WCAG", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21, 6);
  expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2); // the well-known near miss
});

test("32 features have different colours, and numbers on them can be read", () => {
  const colors = Array.from({ length: 32 }, (_, index) => colorOf(index));
  expect(new Set(colors).size).toBe(32);
  for (const color of colors) expect(contrast(color, textOn(color))).toBeGreaterThanOrEqual(4.5);
  expect(colorOf(32)).toBe(colorOf(0));
});

test("text reaches WCAG AA on every ground, in both themes", () => {
  const css = readFileSync(new URL("../src/app.css", import.meta.url), "utf8");
  const colors = [...css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)];
  const themes = [2, 3].map((theme) =>
    Object.fromEntries(colors.map((match) => [match[1]!, match[theme]!])),
  );
  for (const theme of themes) {
    for (const ground of ["ground", "panel", "well", "selected"]) {
      for (const text of ["text", "text-soft"]) {
        expect(contrast(theme[text]!, theme[ground]!), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
      }
    }
    expect(contrast(theme["on-accent"]!, theme["accent"]!)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(theme["reward"]!, theme["ground"]!)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(theme["failed"]!, theme["panel"]!)).toBeGreaterThanOrEqual(4.5);
    for (const mark of ["value", "advantage", "policy", "completed", "failed", "accent"]) {
      expect(contrast(theme[mark]!, theme["ground"]!), mark).toBeGreaterThanOrEqual(3);
    }
  }
});
