// What follows from a trajectory's arrays: its episodes, and the policy at a step.

import type { Trajectory } from "./contract";

/** Where there are no levels to complete, an episode just ends. */
export type Outcome = "completed" | "failed" | "ended" | "unfinished";

/** Steps start to end (not included) of one episode. */
export interface Episode {
  start: number;
  end: number;
  outcome: Outcome;
  levelSeed: number;
  return: number;
}

function outcomeOf(trajectory: Trajectory, last: number, hasLevels: boolean): Outcome {
  if (!hasLevels) {
    return trajectory.terminated[last] || trajectory.truncated[last] ? "ended" : "unfinished";
  }
  if (trajectory.levelComplete[last]) return "completed";
  return trajectory.terminated[last] ? "failed" : "unfinished";
}

/** The episodes of a trajectory in order; the last may be cut off by the trajectory's end. */
export function episodesOf(trajectory: Trajectory, hasLevels = true): Episode[] {
  const episodes: Episode[] = [];
  let start = 0;
  for (let t = 0; t < trajectory.numSteps; t++) {
    const ended = trajectory.terminated[t] || trajectory.truncated[t];
    if (!ended && t < trajectory.numSteps - 1) continue;
    let total = 0;
    for (let i = start; i <= t; i++) total += trajectory.rewards[i]!;
    const outcome = outcomeOf(trajectory, t, hasLevels);
    episodes.push({
      start, end: t + 1, outcome, levelSeed: trajectory.levelSeeds[start]!, return: total,
    });
    start = t + 1;
  }
  return episodes;
}

/** Index of the episode that holds a step. */
export function episodeAt(episodes: readonly Episode[], step: number): number {
  return episodes.findIndex((episode) => step < episode.end);
}

/** Probabilities of the actions: softmax of one row of logits. */
export function policyAt(trajectory: Trajectory, step: number, numActions: number): number[] {
  return softmax(trajectory.policyLogits.subarray(step * numActions, (step + 1) * numActions));
}

/** Probabilities of unnormalized logarithms. */
export function softmax(values: ArrayLike<number>): number[] {
  const logits = Array.from(values);
  const largest = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - largest));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** A score along a trajectory: the value, or the sum of some logits. */
export function scoreSeries(
  trajectory: Trajectory, actions: readonly number[] | null, numActions: number,
): Float32Array {
  if (actions === null) return trajectory.values;
  return Float32Array.from({ length: trajectory.numSteps }, (_, t) =>
    actions.reduce((sum, action) => sum + trajectory.policyLogits[t * numActions + action]!, 0),
  );
}
