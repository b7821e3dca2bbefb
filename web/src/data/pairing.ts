// Two trajectories through the same levels: which step of the other belongs beside a step of this.

import { episodeAt, type Episode } from "./trajectory";

/** "episode": as long after the beginning of the same episode, on whose last step the shorter one
 * waits. "step": as long after the beginning of the trajectory. */
export type Alignment = "episode" | "step";

/** The other's step; null where it has none: it has not come so far. */
export function alignedStep(
  step: number, here: readonly Episode[], there: readonly Episode[], alignment: Alignment,
): number | null {
  const numSteps = there.at(-1)?.end ?? 0;
  if (alignment === "step") return step < numSteps ? step : null;
  const index = episodeAt(here, step);
  const other = there[index];
  if (!other) return null;
  return Math.min(other.start + step - here[index]!.start, other.end - 1);
}

/** A series of the other, step by step of this one; NaN where it has ended or has none. */
export function alignedSeries(
  values: Float32Array, here: readonly Episode[], there: readonly Episode[], alignment: Alignment,
): Float32Array {
  const numSteps = here.at(-1)?.end ?? 0;
  let before: number | null = null;
  return Float32Array.from({ length: numSteps }, (_, step) => {
    const other = alignedStep(step, here, there, alignment);
    const waits = other !== null && other === before;
    before = other;
    return other === null || waits ? NaN : values[other]!;
  });
}
