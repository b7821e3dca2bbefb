// The part of the view that a link carries, in the URL's fragment: it works for file:// too.

import { fromLink, toLink } from "../live/link";
import type { Event } from "../live/protocol";

export interface Place {
  trajectory: number;
  step: number;
  layer: string;
  scores: string[];
  /** Indices of features. */
  hidden: number[];
  residual: boolean;
  together: boolean;
  onFrame: boolean;
  /** 0-1. */
  opacity: number;
  /** Index of the feature whose examples are open. */
  feature: number | null;
  human: boolean;
  /** Whether the other agent is shown beside this one, and by steps rather than by episodes. */
  beside: boolean;
  bySteps: boolean;
  objects: string[];
  /** What was done to the moment in the editor; null: it is not open. */
  edits?: readonly Event[] | null;
}

/** What a link leaves out. */
export const DEFAULTS = {
  hidden: [],
  residual: false,
  together: false,
  onFrame: true,
  opacity: 0.9,
  feature: null,
  human: false,
  beside: true,
  bySteps: false,
  objects: [],
} as const satisfies Partial<Place>;

const FLAGS = ["residual", "together", "onFrame", "human", "beside", "bySteps"] as const;
const names: Record<(typeof FLAGS)[number], string> = {
  residual: "residual", together: "together", onFrame: "frame", human: "human",
  beside: "beside", bySteps: "bysteps",
};

/** "#trajectory=2&step=37&layer=2b&score=value"; numbers count from 1, as on the page. */
export function toFragment(place: Place): string {
  const fields = new URLSearchParams({
    trajectory: String(place.trajectory + 1),
    step: String(place.step + 1),
    layer: place.layer,
  });
  for (const score of place.scores) fields.append("score", score);
  if (place.hidden.length > 0) fields.set("hide", place.hidden.map((f) => f + 1).join(" "));
  for (const flag of FLAGS) {
    if (place[flag] !== DEFAULTS[flag]) fields.set(names[flag], place[flag] ? "yes" : "no");
  }
  if (place.opacity !== DEFAULTS.opacity) fields.set("opacity", String(place.opacity));
  if (place.feature !== null) fields.set("feature", String(place.feature + 1));
  for (const name of place.objects) fields.append("object", name);
  if (place.edits) fields.set("edit", toLink(place.edits));
  return `#${fields}`;
}

const asIndex = (text: string | null): number | null =>
  text !== null && /^[1-9]\d{0,8}$/.test(text) ? Number(text) - 1 : null;

/** What a fragment says; fields that are absent or make no sense are left out. */
export function fromFragment(fragment: string): Partial<Place> {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const place: Partial<Place> = {};
  for (const name of ["trajectory", "step", "feature"] as const) {
    const index = asIndex(fields.get(name));
    if (index !== null) place[name] = index;
  }
  const layer = fields.get("layer");
  if (layer !== null) place.layer = layer;
  if (fields.has("score")) place.scores = fields.getAll("score");
  if (fields.has("object")) place.objects = fields.getAll("object");
  const hidden = fields.get("hide")?.split(" ").map(asIndex);
  if (hidden) place.hidden = hidden.filter((index) => index !== null);
  for (const flag of FLAGS) {
    const value = fields.get(names[flag]);
    if (value === "yes" || value === "no") place[flag] = value === "yes";
  }
  const edits = fields.get("edit");
  if (edits !== null) place.edits = fromLink(edits);
  const opacity = Number(fields.get("opacity") ?? NaN);
  if (opacity >= 0 && opacity <= 1) place.opacity = opacity;
  return place;
}
