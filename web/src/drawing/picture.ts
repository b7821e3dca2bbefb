// A view as one picture: the screens of every row side by side, enlarged without smoothing, with
// what they show and the colours of the features.

export interface PictureScreen {
  title: string;
  image: HTMLCanvasElement | HTMLImageElement;
}

export interface PictureKey {
  name: string;
  color: string;
}

const SIDE = 384; // of a screen, in pixels
const GAP = 16;
const LINE = 22;
const FONT = "14px system-ui, sans-serif";

/** Lines of keys that fit a width, given the width of each. */
export function wrap(widths: readonly number[], available: number): number[][] {
  const lines: number[][] = [];
  let used = Infinity;
  widths.forEach((width, index) => {
    if (used + width > available) {
      lines.push([]);
      used = 0;
    }
    lines[lines.length - 1]!.push(index);
    used += width;
  });
  return lines;
}

/** Draws in the colours of a surface, so that the picture looks like the page. */
export function drawPicture(
  surface: Element,
  caption: string,
  rows: readonly (readonly PictureScreen[])[],
  keys: readonly PictureKey[],
): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  const style = getComputedStyle(surface);
  const context = canvas.getContext("2d")!;
  context.font = FONT;
  const widths = keys.map(({ name }) => context.measureText(name).width + 2 * GAP + 12);
  const columns = Math.max(1, ...rows.map((row) => row.length));
  canvas.width = columns * (SIDE + GAP) + GAP;
  const keyLines = wrap(widths, canvas.width - 2 * GAP);
  const rowHeight = LINE + SIDE + GAP;
  canvas.height = GAP + LINE + rows.length * rowHeight + keyLines.length * LINE + GAP;

  context.fillStyle = style.backgroundColor;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.font = FONT;
  context.textBaseline = "middle";
  context.imageSmoothingEnabled = false;
  const write = (text: string, x: number, y: number): void => {
    context.fillStyle = style.color;
    context.fillText(text, x, y + LINE / 2, canvas.width - x - GAP);
  };
  write(caption, GAP, GAP);
  rows.forEach((screens, row) => {
    const top = GAP + LINE + row * rowHeight;
    screens.forEach(({ title, image }, column) => {
      const left = GAP + column * (SIDE + GAP);
      write(title, left, top);
      context.drawImage(image, left, top + LINE, SIDE, SIDE);
    });
  });
  keyLines.forEach((line, index) => {
    const top = GAP + LINE + rows.length * rowHeight + index * LINE;
    let left = GAP;
    for (const key of line) {
      context.fillStyle = keys[key]!.color;
      context.fillRect(left, top + LINE / 2 - 6, 12, 12);
      write(keys[key]!.name, left + 18, top);
      left += widths[key]!;
    }
  });
  return canvas;
}
