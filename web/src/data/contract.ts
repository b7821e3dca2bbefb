// The files of a report as JSON, as rlvision_jax/interface/export.py writes them, and the arrays
// they hold once unpacked. Arrays are flat, in row-major order; the last axis varies fastest.

export const FORMAT_VERSION = 1;
export const MAIN_FILE = "data/report.js";

export const observationsFile = (trajectory: number): string => `data/observations-${trajectory}.js`;
export const attributionFile = (trajectory: number, layer: number, score: number): string =>
  `data/attribution-${trajectory}-${layer}-${score}.js`;

/** An array as it lies in a file: gzip of its little-endian bytes, in base64. */
export interface PackedArray {
  dtype: "uint8" | "int8" | "int32" | "float32";
  shape: number[];
  data: string;
}

export interface PackedFeature {
  name: string;
  color: string | null;
  direction: PackedArray;
  thumbnails: PackedArray;
  strengths: PackedArray;
}

export type SeriesName =
  | "actions"
  | "rewards"
  | "terminated"
  | "truncated"
  | "level_complete"
  | "level_seeds"
  | "values"
  | "advantages"
  | "policy_logits";

export interface PackedReport {
  format: "rlvision-report";
  version: number;
  title: string;
  provenance: Record<string, unknown>;
  action_names: string[];
  /** Whether levels and reaching their goal mean anything; absent in reports of earlier versions. */
  has_levels?: boolean;
  layers: { name: string; features: PackedFeature[] }[];
  scores: Score[];
  trajectories: {
    label: string;
    series: Record<SeriesName, PackedArray>;
    attributions: [layer: number, score: number][];
  }[];
  bookmarks: Bookmark[];
}

export interface PackedObservations {
  observations: PackedArray;
}

export interface PackedAttribution {
  maps: PackedArray;
  maps_scale: PackedArray;
  residual: PackedArray;
  residual_scale: PackedArray;
  totals: Record<"positive" | "negative" | "residual_positive" | "residual_negative", PackedArray>;
}

export interface Score {
  name: string;
  /** null: the value; else the actions whose logits were summed. */
  actions: number[] | null;
}

export interface Bookmark {
  kind: string;
  trajectory: number;
  step: number;
}

export interface Thumbnails {
  count: number;
  height: number;
  width: number;
  /** RGB patches, one after the other. */
  pixels: Uint8Array;
}

export interface Feature {
  name: string;
  color: string;
  thumbnails: Thumbnails;
}

export interface Layer {
  name: string;
  features: Feature[];
}

/** Steps of one environment; what happened at t is what the action taken on observation t led to. */
export interface Trajectory {
  label: string;
  numSteps: number;
  actions: Int32Array;
  rewards: Float32Array;
  terminated: Uint8Array;
  truncated: Uint8Array;
  levelComplete: Uint8Array;
  levelSeeds: Int32Array;
  values: Float32Array;
  advantages: Float32Array;
  /** [time, action] */
  policyLogits: Float32Array;
  attributions: [layer: number, score: number][];
}

export interface Report {
  title: string;
  provenance: Record<string, unknown>;
  actionNames: string[];
  hasLevels: boolean;
  layers: Layer[];
  scores: Score[];
  trajectories: Trajectory[];
  bookmarks: Bookmark[];
}

/** Frames of a trajectory: RGB, [time, height, width, 3]. */
export interface Observations {
  numSteps: number;
  height: number;
  width: number;
  pixels: Uint8Array;
}

/** One score attributed to one layer along a trajectory. */
export interface Attribution {
  height: number;
  width: number;
  numFeatures: number;
  /** [time, height, width, feature], in steps of mapsScale[time] units of the score. */
  maps: Int8Array;
  mapsScale: Float32Array;
  /** [time, height, width], in steps of residualScale[time]. */
  residual: Int8Array;
  residualScale: Float32Array;
  /** [time, feature]: sums over the frame, of the positive and of the negative part. */
  positive: Float32Array;
  negative: Float32Array;
  /** [time] */
  residualPositive: Float32Array;
  residualNegative: Float32Array;
}
