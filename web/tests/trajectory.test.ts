import { expect, test } from "vitest";
import type { Trajectory } from "../src/data/contract";
import { episodeAt, episodesOf, policyAt, scoreSeries } from "../src/data/trajectory";

// Two steps to the goal, two to a hazard, one cut off by another reason, one cut by the recording.
const trajectory: Trajectory = {
  label: "",
  numSteps: 6,
  actions: new Int32Array(6),
  rewards: Float32Array.from([0, 10, 0, 0, 1, 0]),
  terminated: Uint8Array.from([0, 1, 0, 1, 0, 0]),
  truncated: Uint8Array.from([0, 0, 0, 0, 1, 0]),
  levelComplete: Uint8Array.from([0, 1, 0, 0, 0, 0]),
  levelSeeds: Int32Array.from([7, 7, 8, 8, 9, 5]),
  values: Float32Array.from([1, 2, 3, 4, 5, 6]),
  advantages: new Float32Array(6),
  policyLogits: Float32Array.from([0, Math.log(3), 1, 1, 0, 0, 0, 0, 0, 0, 1000, 999]),
  attributions: [],
  hasObjects: false,
  humanChunk: null, agent: 0, counterpart: null,
};

test("episodes end where the trajectory says, each with its outcome, level and points", () => {
  expect(episodesOf(trajectory)).toEqual([
    { start: 0, end: 2, outcome: "completed", levelSeed: 7, return: 10 },
    { start: 2, end: 4, outcome: "failed", levelSeed: 8, return: 0 },
    { start: 4, end: 5, outcome: "unfinished", levelSeed: 9, return: 1 },
    { start: 5, end: 6, outcome: "unfinished", levelSeed: 5, return: 0 },
  ]);
});

test("without levels an episode just ends, by the rules or for another reason", () => {
  const outcomes = episodesOf(trajectory, false).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(["ended", "ended", "ended", "unfinished"]);
});

test("every step lies in one episode", () => {
  const episodes = episodesOf(trajectory);
  expect([0, 1, 2, 3, 4, 5].map((step) => episodeAt(episodes, step))).toEqual([0, 0, 1, 1, 2, 3]);
});

test("the policy is the softmax of the step's logits, also of large ones", () => {
  const [first, second] = policyAt(trajectory, 0, 2) as [number, number];
  expect(first).toBeCloseTo(0.25, 6);
  expect(second).toBeCloseTo(0.75, 6);
  expect(policyAt(trajectory, 5, 2)[0]).toBeCloseTo(1 / (1 + Math.exp(-1)), 6);
});

test("a score is the value or a sum of logits", () => {
  expect(scoreSeries(trajectory, null, 2)).toBe(trajectory.values);
  expect([...scoreSeries(trajectory, [0, 1], 2)]).toEqual([Math.fround(Math.log(3)), 2, 0, 0, 0, 1999]);
});
