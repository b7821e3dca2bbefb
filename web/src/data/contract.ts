// The files of a report as JSON, as rlvision_jax/interface/export.py writes them, and the arrays
// they hold once unpacked. Arrays are flat, in row-major order; the last axis varies fastest.

export const FORMAT_VERSION = 1;
export const MAIN_FILE = "data/report.js";

export const observationsFile = (trajectory: number): string => `data/observations-${trajectory}.js`;
export const EXAMPLES_FILE = "data/examples.js";
export const gridsFile = (layer: number): string => `data/grids-${layer}.js`;
export const objectsFile = (trajectory: number): string => `data/objects-${trajectory}.js`;
export const humanFile = (trajectory: number, chunk: number): string =>
  `data/human-${trajectory}-${chunk}.js`;
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

/** "attribution" sums to the score; "gradient" is that of the score at the pixels. */
export type LayerKind = "attribution" | "gradient";

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
  /** Whether levels and reaching their goal mean anything. */
  has_levels?: boolean;
  /** What reports of earlier versions lack is optional, here and below. */
  layers: {
    name: string;
    kind?: LayerKind;
    features: PackedFeature[];
    has_grids?: boolean;
    counterpart?: number | null;
  }[];
  scores: Score[];
  trajectories: {
    label: string;
    series: Record<SeriesName, PackedArray>;
    attributions: [layer: number, score: number][];
    has_objects?: boolean;
    /** Frames for people in a file; null: there are none. */
    human_chunk?: number | null;
    agent?: number;
    counterpart?: number | null;
  }[];
  /** Names; empty: one plays all. */
  agents?: string[];
  bookmarks: Bookmark[];
  failures?: Failure[];
  object_names?: string[];
  has_examples?: boolean;
}

export interface PackedGrid {
  frames: PackedArray;
  strengths: PackedArray;
  rows: PackedArray;
  columns: PackedArray;
}

export interface PackedGrids {
  /** For each feature its grids, from few cells to many. */
  features: PackedGrid[][];
}

export interface PackedObjects {
  masks: PackedArray;
}

export interface PackedHuman {
  /** JPEG files in base64. */
  jpeg: string[];
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
  /** What it shows; absent or empty: its advantage is given. */
  note?: string;
}

/** An episode that did not reach its goal; `step` is its last one. */
export interface Failure {
  cause: string;
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
  kind: LayerKind;
  features: Feature[];
  hasGrids: boolean;
  /** Of a second agent's own layer, the first agent's that it stands beside. */
  counterpart: number | null;
}

/** For each cell of a grid over the frame, the example where a feature is strongest there. */
export interface ExampleGrid {
  numRows: number;
  numColumns: number;
  /** [row, column]: index of the example, and the feature's strength in it. */
  frames: Int32Array;
  strengths: Float32Array;
  /** Centres of the cells, as shares of the frame. */
  rows: Float32Array;
  columns: Float32Array;
}

/** Which pixels show which object: [time, object, height, bytes], eight pixels in a byte. */
export interface Objects {
  numObjects: number;
  height: number;
  rowBytes: number;
  bits: Uint8Array;
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
  hasObjects: boolean;
  humanChunk: number | null;
  /** Index into the report's agents. */
  agent: number;
  /** The other agent's trajectory through the same levels. */
  counterpart: number | null;
}

export interface Report {
  title: string;
  provenance: Record<string, unknown>;
  actionNames: string[];
  hasLevels: boolean;
  layers: Layer[];
  scores: Score[];
  trajectories: Trajectory[];
  agents: string[];
  bookmarks: Bookmark[];
  failures: Failure[];
  objectNames: string[];
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
