// What the screens of the page show now, as one picture.

import type { View } from "../view/view.svelte";
import { drawPicture, type PictureScreen } from "./picture";

function screensOf(row: HTMLElement): PictureScreen[] {
  const player = row.dataset.row ? `${row.dataset.row}: ` : "";
  return [...row.querySelectorAll<HTMLElement>("[data-screen]")].map((screen) => ({
    title: `${player}${screen.dataset.screen}`,
    image: screen.querySelector("img") ?? screen.querySelector("canvas")!,
  }));
}

/** Draws the screens that stand in `surface`, with where they are and what the colours mean. */
export function drawScreens(view: View, surface: HTMLElement): HTMLCanvasElement {
  const rows = [...surface.querySelectorAll<HTMLElement>("[data-row]")].map(screensOf);
  const { features } = view.overlayColors;
  const keys = view.features.flatMap(({ color }, feature) =>
    features[feature] ? [{ name: view.nameOf(feature), color }] : [],
  );
  const place = `trajectory ${view.trajectory + 1}, step ${view.step + 1}`;
  const caption = `${view.report.title}: ${place}, layer ${view.currentLayer?.name ?? "none"}`;
  return drawPicture(surface, caption, rows, keys);
}
