// Names that people give to features, as a file: rlvision_jax/interface/labels.py reads the same.

import type { Layer } from "../data/contract";

export interface Labels {
  format: "rlvision-labels";
  version: 1;
  /** Names of the features of each layer, in order. */
  layers: Record<string, string[]>;
}

export function toLabels(layers: readonly Layer[], nameOf: (layer: number, feature: number) => string): Labels {
  const named = layers
    .map((layer, index) => ({ layer, index }))
    .filter(({ layer }) => layer.kind === "attribution")
    .map(({ layer, index }) => [layer.name, layer.features.map((_, feature) => nameOf(index, feature))] as const);
  return { format: "rlvision-labels", version: 1, layers: Object.fromEntries(named) };
}

/** Reads a labels file; throws with a sentence for the reader. */
export function parseLabels(text: string): Labels {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON; choose a labels file that a report saved.");
  }
  const labels = content as Partial<Labels> | null;
  if (labels?.format !== "rlvision-labels" || labels.version !== 1) {
    throw new Error("This is no labels file of this version; choose one that a report saved.");
  }
  const lists = Object.values(labels.layers ?? {});
  if (!lists.every((names) => Array.isArray(names) && names.every((name) => typeof name === "string"))) {
    throw new Error("This labels file is damaged: every layer must have a list of names.");
  }
  return labels as Labels;
}

/** Offers a file for saving. */
export function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
