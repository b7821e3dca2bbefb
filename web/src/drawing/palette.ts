// Feature colours. The first eight were found by search: of vivid sRGB colours, the set whose
// nearest pair is farthest apart in OKLab, for usual vision and, at four fifths of the weight, for
// simulated protanopia and deuteranopia (Machado et al. 2009): 0.20 apart; eight evenly spaced hues
// are 0.02. The following ones were added greedily by the same distance.

const COLORS = [
  "#f08700", "#2da5ff", "#a50f96", "#f0e169", "#4b3cff", "#ff4ba5", "#4bf0ff", "#a54b1e",
  "#78d296", "#e15a4b", "#b44b78", "#5a78e1", "#694bc3", "#5affb4", "#2dc3e1", "#ffb400",
  "#0f96c3", "#00a578", "#78b469", "#f096c3", "#e12da5", "#788700", "#b40f5a", "#b4d269",
  "#00f0d2", "#ff00d2", "#e1a5ff", "#e1005a", "#c34bff", "#c31e96", "#f069ff", "#5ab40f",
];

/** Everything that the features do not carry is shown in white, as in the original interface. */
export const RESIDUAL_COLOR = "#ffffff";

/** Colour of an object's mark: apart from those of the first features. */
export function objectColor(index: number): string {
  return colorOf(index + 8);
}

export type RGB = readonly [number, number, number];

/** Colour of the feature at an index; repeats after 32. */
export function colorOf(index: number): string {
  return COLORS[index % COLORS.length] ?? RESIDUAL_COLOR;
}

/** "#rrggbb" to three numbers, 0-255. */
export function parseColor(color: string): RGB {
  const value = Number.parseInt(color.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function luminance(color: string): number {
  const [r, g, b] = parseColor(color).map((channel) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Contrast ratio of two colours (WCAG 2). */
export function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** Black or white, whichever reads better on a colour; either reaches at least 4.5 to 1. */
export function textOn(color: string): string {
  return contrast(color, "#000000") >= contrast(color, "#ffffff") ? "#000000" : "#ffffff";
}
