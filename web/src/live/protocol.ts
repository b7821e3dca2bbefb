// What the page and `rlvision view` say to each other, as JSON; docs/live.md describes it.

import type { Attribution, Observations, PackedArray, PackedAttribution } from "../data/contract";
import { unpackArray, unpackAttribution } from "../data/unpack";
import type { Cell } from "./geometry";

/** What an edit may say besides its name. */
export type Argument = number | string | boolean | Cell | readonly Cell[] | readonly number[];

/** One step of the game. */
export interface ActionEvent {
  readonly action: number;
}

/** A change to what is there, or to what is seen of it. */
export interface EditEvent {
  readonly edit: string;
  readonly [argument: string]: Argument;
}

export type Event = ActionEvent | EditEvent;

/** A recorded step, and what happened since. */
export interface MomentName {
  trajectory: number;
  step: number;
  history: readonly Event[];
}

export interface MomentRequest extends MomentName {
  layer: string;
  scores: readonly string[];
}

export interface PlayRequest extends MomentName {
  num_steps: number;
  greedy: boolean;
  seed: number;
}

export interface About {
  /** Whether things can be moved, and whether pixels can be painted over. */
  scene: boolean;
  pixels: boolean;
  /** Why not. */
  reason: string | null;
  /** What can be removed altogether, and what can be made invisible. */
  kinds: string[];
  hideable: string[];
  backgrounds: number;
  ground_themes: number;
  player_themes: number;
}

/** Something that the frame shows. Those in cells have `cell`; an enemy has `slot`, `x` and `row`. */
export interface Thing {
  kind: string;
  /** Left, top, right, bottom in shares of the frame; may pass its edge. */
  box: readonly [number, number, number, number];
  cell?: Cell;
  slot?: number;
  row?: number;
  x?: number;
  y?: number;
}

export interface Scene {
  things: readonly Thing[];
  /** World coordinates of the frame's top left corner; y grows upwards. */
  origin: readonly [x: number, y: number];
  /** Cells across the frame. */
  cells: number;
}

export interface PackedMoment {
  observation: PackedArray;
  value: number;
  policy_logits: number[];
  attributions: PackedAttribution[];
  scene: Scene | null;
  velocity: [x: number, y: number] | null;
  reward: number;
  end: string | null;
  milliseconds: number;
}

export interface Moment {
  /** Of one step, as are the attributions. */
  picture: Observations;
  value: number;
  policyLogits: readonly number[];
  /** One for each score asked for. */
  attributions: readonly Attribution[];
  scene: Scene | null;
  /** Cells per step. */
  velocity: readonly [x: number, y: number] | null;
  /** Of the last action. */
  reward: number;
  /** null while the episode goes on; "complete", or the cause of the failure. */
  end: string | null;
}

export interface PackedPlay {
  actions: number[];
  rewards: number[];
  values: number[];
  policy_logits: PackedArray;
  observations: PackedArray;
  end: string | null;
}

/** What the agent saw and thought after one of its actions. */
export interface Frame {
  action: number;
  picture: Observations;
  value: number;
  policyLogits: readonly number[];
}

export async function unpackMoment(packed: PackedMoment): Promise<Moment> {
  const [height = 0, width = 0] = packed.observation.shape;
  return {
    picture: { numSteps: 1, height, width, pixels: await unpackArray(packed.observation, "uint8", 3) },
    value: packed.value,
    policyLogits: packed.policy_logits,
    attributions: await Promise.all(packed.attributions.map(unpackAttribution)),
    scene: packed.scene,
    velocity: packed.velocity,
    reward: packed.reward,
    end: packed.end,
  };
}

export async function unpackPlay(packed: PackedPlay): Promise<Frame[]> {
  const [, height = 0, width = 0] = packed.observations.shape;
  const pixels = await unpackArray(packed.observations, "uint8", 4);
  const logits = await unpackArray(packed.policy_logits, "float32", 2);
  const numActions = packed.policy_logits.shape[1] ?? 0;
  const size = height * width * 3;
  return packed.actions.map((action, t) => ({
    action,
    picture: { numSteps: 1, height, width, pixels: pixels.subarray(t * size, (t + 1) * size) },
    value: packed.values[t]!,
    policyLogits: [...logits.subarray(t * numActions, (t + 1) * numActions)],
  }));
}
