// What legends and charts list of an attributed layer: its features, then what they leave.

import type { Attribution } from "../data/contract";
import { RESIDUAL_COLOR } from "../drawing/palette";
import { extent } from "../drawing/scales";
import type { Channel, View } from "./view.svelte";

export interface ListedChannel {
  channel: Channel;
  /** What stands on its swatch. */
  label: string;
  name: string;
  color: string;
}

export function listChannels(view: View, layer = view.layer): ListedChannel[] {
  const features = (view.report.layers[layer]?.features ?? []).map((feature, index) => ({
    channel: index,
    label: String(index + 1),
    name: view.nameOf(index, layer),
    color: feature.color,
  }));
  if (view.isGradient) return features; // a gradient leaves nothing
  return [...features, { channel: "residual", label: "r", name: "residual", color: RESIDUAL_COLOR }];
}

/** What a channel carries of a score in a frame: for it, and against it. */
export interface Totals {
  positive: number;
  negative: number;
}

export function totalsAt(attribution: Attribution | null | undefined, step: number, channel: Channel): Totals {
  if (!attribution) return { positive: 0, negative: 0 };
  const { positive, negative, residualPositive, residualNegative, numFeatures } = attribution;
  if (channel === "residual") return { positive: residualPositive[step]!, negative: residualNegative[step]! };
  const at = step * numFeatures + channel;
  return { positive: positive[at] ?? 0, negative: negative[at] ?? 0 };
}

export const netOf = ({ positive, negative }: Totals): number => positive + negative;

/** The lowest and the highest total of all frames and channels; 0 and 0 of nothing. */
export function totalsExtent(attributions: readonly Attribution[]): [number, number] {
  return [
    Math.min(0, ...attributions.flatMap((a) => [extent(a.negative)[0], extent(a.residualNegative)[0]])),
    Math.max(0, ...attributions.flatMap((a) => [extent(a.positive)[1], extent(a.residualPositive)[1]])),
  ];
}

/** The largest size of a total, more than 0, so that bars of all frames can be compared. */
export function largestTotal(attributions: readonly Attribution[]): number {
  const [lowest, highest] = totalsExtent(attributions);
  return Math.max(highest, -lowest, Number.MIN_VALUE);
}

/** Handlers of an element: pointing at it, or focusing it from the keyboard, isolates a channel. */
export function isolating(view: View, channel: Channel) {
  const isolate = (): void => void (view.isolated = channel);
  const release = (): void => void (view.isolated = null);
  return {
    onpointerenter: isolate,
    onpointerleave: release,
    onfocusin: ({ target }: FocusEvent): void => {
      if (target instanceof HTMLElement && target.matches(":focus-visible")) isolate();
    },
    onfocusout: release,
  };
}
