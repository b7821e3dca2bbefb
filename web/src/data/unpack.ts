// Unpacks the arrays of a report and checks them on the way: a damaged file becomes a clear error.

import { colorOf } from "../drawing/palette";
import {
  FORMAT_VERSION,
  type Attribution,
  type ExampleGrid,
  type Feature,
  type Objects,
  type Observations,
  type PackedArray,
  type PackedAttribution,
  type PackedFeature,
  type PackedGrid,
  type PackedGrids,
  type PackedHuman,
  type PackedObjects,
  type PackedObservations,
  type PackedReport,
  type Report,
  type Trajectory,
} from "./contract";

const ARRAY_TYPES = {
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  float32: Float32Array,
} as const;

type ArrayOf<D extends PackedArray["dtype"]> = InstanceType<(typeof ARRAY_TYPES)[D]>;

async function gunzip(packed: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Unpacks an array; throws where dtype, axes or length are not what they should be. */
export async function unpackArray<D extends PackedArray["dtype"]>(
  packed: PackedArray,
  dtype: D,
  numAxes: number,
): Promise<ArrayOf<D>> {
  if (packed.dtype !== dtype || packed.shape.length !== numAxes) {
    throw new Error(`expected ${dtype} with ${numAxes} axes, got ${packed.dtype} [${packed.shape}]`);
  }
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const buffer = await gunzip(bytes);
  const ArrayType = ARRAY_TYPES[dtype];
  const expected = packed.shape.reduce((a, b) => a * b, 1) * ArrayType.BYTES_PER_ELEMENT;
  if (buffer.byteLength !== expected) {
    throw new Error(`expected ${expected} bytes, got ${buffer.byteLength}`);
  }
  return new ArrayType(buffer) as ArrayOf<D>;
}

async function unpackFeature(packed: PackedFeature, index: number): Promise<Feature> {
  const [count = 0, height = 0, width = 0] = packed.thumbnails.shape;
  const pixels = await unpackArray(packed.thumbnails, "uint8", 4);
  return {
    name: packed.name,
    color: packed.color ?? colorOf(index),
    thumbnails: { count, height, width, pixels },
  };
}

async function unpackTrajectory(packed: PackedReport["trajectories"][number]): Promise<Trajectory> {
  const series = packed.series;
  return {
    label: packed.label,
    numSteps: series.actions.shape[0] ?? 0,
    actions: await unpackArray(series.actions, "int32", 1),
    rewards: await unpackArray(series.rewards, "float32", 1),
    terminated: await unpackArray(series.terminated, "uint8", 1),
    truncated: await unpackArray(series.truncated, "uint8", 1),
    levelComplete: await unpackArray(series.level_complete, "uint8", 1),
    levelSeeds: await unpackArray(series.level_seeds, "int32", 1),
    values: await unpackArray(series.values, "float32", 1),
    advantages: await unpackArray(series.advantages, "float32", 1),
    policyLogits: await unpackArray(series.policy_logits, "float32", 2),
    attributions: packed.attributions,
    hasObjects: packed.has_objects ?? false,
    humanChunk: packed.human_chunk ?? null,
    agent: packed.agent ?? 0,
    counterpart: packed.counterpart ?? null,
  };
}

export async function unpackReport(packed: PackedReport): Promise<Report> {
  if (packed.version !== FORMAT_VERSION) {
    throw new Error(`format version ${packed.version}, this page reads ${FORMAT_VERSION}`);
  }
  return {
    title: packed.title,
    provenance: packed.provenance,
    actionNames: packed.action_names,
    hasLevels: packed.has_levels ?? true,
    layers: await Promise.all(
      packed.layers.map(async (layer) => ({
        name: layer.name,
        kind: layer.kind ?? "attribution",
        hasGrids: (layer.has_grids ?? false) && (packed.has_examples ?? false),
        counterpart: layer.counterpart ?? null,
        features: await Promise.all(layer.features.map(unpackFeature)),
      })),
    ),
    scores: packed.scores,
    trajectories: await Promise.all(packed.trajectories.map(unpackTrajectory)),
    agents: packed.agents ?? [],
    bookmarks: packed.bookmarks,
    failures: packed.failures ?? [],
    objectNames: packed.object_names ?? [],
  };
}

export async function unpackObservations(packed: PackedObservations): Promise<Observations> {
  const [numSteps = 0, height = 0, width = 0] = packed.observations.shape;
  return { numSteps, height, width, pixels: await unpackArray(packed.observations, "uint8", 4) };
}

export async function unpackAttribution(packed: PackedAttribution): Promise<Attribution> {
  const [, height = 0, width = 0, numFeatures = 0] = packed.maps.shape;
  return {
    height,
    width,
    numFeatures,
    maps: await unpackArray(packed.maps, "int8", 4),
    mapsScale: await unpackArray(packed.maps_scale, "float32", 1),
    residual: await unpackArray(packed.residual, "int8", 3),
    residualScale: await unpackArray(packed.residual_scale, "float32", 1),
    positive: await unpackArray(packed.totals.positive, "float32", 2),
    negative: await unpackArray(packed.totals.negative, "float32", 2),
    residualPositive: await unpackArray(packed.totals.residual_positive, "float32", 1),
    residualNegative: await unpackArray(packed.totals.residual_negative, "float32", 1),
  };
}

async function unpackGrid(packed: PackedGrid): Promise<ExampleGrid> {
  const [numRows = 0, numColumns = 0] = packed.frames.shape;
  return {
    numRows,
    numColumns,
    frames: await unpackArray(packed.frames, "int32", 2),
    strengths: await unpackArray(packed.strengths, "float32", 2),
    rows: await unpackArray(packed.rows, "float32", 1),
    columns: await unpackArray(packed.columns, "float32", 1),
  };
}

/** Of each feature its grids, from few cells to many. */
export async function unpackGrids(packed: PackedGrids): Promise<ExampleGrid[][]> {
  return Promise.all(packed.features.map((grids) => Promise.all(grids.map(unpackGrid))));
}

export async function unpackObjects(packed: PackedObjects): Promise<Objects> {
  const [, numObjects = 0, height = 0, rowBytes = 0] = packed.masks.shape;
  return { numObjects, height, rowBytes, bits: await unpackArray(packed.masks, "uint8", 4) };
}

/** Addresses of the pictures, which the browser decodes. */
export async function unpackHuman(packed: PackedHuman): Promise<string[]> {
  return packed.jpeg.map((jpeg) => `data:image/jpeg;base64,${jpeg}`);
}
