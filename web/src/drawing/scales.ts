// Axes of graphs: which range to show, where to put ticks, how to write numbers.

export interface Axis {
  min: number;
  max: number;
  ticks: number[];
}

/** Largest of 1, 2, 5 times a power of ten that divides a range into at least `count` parts. */
export function tickStep(range: number, count: number): number {
  const rough = range / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = rough / power;
  return (factor >= 5 ? 5 : factor >= 2 ? 2 : 1) * power;
}

/** An axis that holds zero and every number given, with a little room, and ticks inside. */
export function axisFor(lowest: number, highest: number): Axis {
  let low = Math.min(0, lowest);
  let high = Math.max(0, highest);
  if (low === high) [low, high] = [0, 1];
  const step = tickStep(high - low, 2);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  const room = (high - low) * 0.05;
  return { min: low < 0 ? low - room : 0, max: high > 0 ? high + room : 0, ticks };
}

/** Share of the height from the top, 0-1. */
export function fromTop(axis: Axis, value: number): number {
  return (axis.max - value) / (axis.max - axis.min);
}

/** Smallest and largest number of an array; NaN is a gap. 0 and 0 where there is none. */
export function extent(values: ArrayLike<number>): [number, number] {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (values[i]! < low) low = values[i]!;
    if (values[i]! > high) high = values[i]!;
  }
  return low <= high ? [low, high] : [0, 0];
}

/** A number in at most three significant digits, with a true minus sign. */
export function formatNumber(value: number): string {
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  const text = size !== 0 && (size < 0.001 || size >= 1e6) ? size.toExponential() : String(size);
  return rounded < 0 ? `−${text}` : text;
}

/** The same with a plus sign on positive numbers. */
export function formatSigned(value: number): string {
  const text = formatNumber(value);
  return text !== "0" && !text.startsWith("−") ? `+${text}` : text;
}

/** A number with a sign and as many digits as numbers up to `largest` need: they line up. */
export function formatAligned(value: number, largest: number): string {
  const digits = 2 - Math.floor(Math.log10(Math.max(largest, 1e-12)));
  const text = Math.abs(value).toFixed(Math.max(0, Math.min(digits, 12)));
  if (Number(text) === 0) return text;
  return `${value < 0 ? "−" : "+"}${text}`;
}

/** SVG path of a series: one unit per step across, a point at each step's middle, 0-100 down; NaN
 * parts it. */
export function linePath(values: ArrayLike<number>, axis: Axis): string {
  let path = "";
  let isOpen = false;
  for (let t = 0; t < values.length; t++) {
    const wasOpen = isOpen;
    isOpen = !Number.isNaN(values[t]!);
    if (isOpen) path += `${wasOpen ? "L" : "M"}${t + 0.5} ${(fromTop(axis, values[t]!) * 100).toFixed(2)}`;
  }
  return path;
}

/** SVG path of the band between two series, in the same units. */
export function bandPath(
  lower: ArrayLike<number>, upper: ArrayLike<number>, axis: Axis,
): string {
  let path = linePath(upper, axis);
  for (let t = lower.length - 1; t >= 0; t--) {
    path += `L${t + 0.5} ${(fromTop(axis, lower[t]!) * 100).toFixed(2)}`;
  }
  return `${path}Z`;
}

/** Running sums of features at each step: edge k is the sum of the features before k. */
export function stackEdges(totals: Float32Array, numFeatures: number): Float32Array[] {
  const numSteps = totals.length / numFeatures;
  const edges = Array.from({ length: numFeatures + 1 }, () => new Float32Array(numSteps));
  for (let f = 0; f < numFeatures; f++) {
    for (let t = 0; t < numSteps; t++) {
      edges[f + 1]![t] = edges[f]![t]! + totals[t * numFeatures + f]!;
    }
  }
  return edges;
}
