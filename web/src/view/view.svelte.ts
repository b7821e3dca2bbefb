// What the reader is looking at: one object that the panels read and change.

import type { Feature, Layer, Report, Score, Trajectory } from "../data/contract";
import { alignedStep, type Alignment } from "../data/pairing";
import { episodeAt, episodesOf, type Episode } from "../data/trajectory";
import type { OverlayColors } from "../drawing/overlay";
import { RESIDUAL_COLOR } from "../drawing/palette";
import { toLabels, type Labels } from "./labels";
import { DEFAULTS, type Place } from "./url";

export const SPEEDS = [2, 6, 12, 25, 50] as const;

/** A feature's index, or everything that the features do not carry. */
export type Channel = number | "residual";

/** A step of a trajectory. */
export interface Moment {
  trajectory: number;
  step: number;
}

const clamp = (value: number, last: number): number => Math.max(0, Math.min(last, value));

export class View {
  readonly report: Report;
  readonly episodes: readonly Episode[][];

  trajectory = $state(0);
  step = $state(0);
  layer = $state(0);
  /** The scores whose attribution is shown, a row each; the first is that of the legend. */
  scores = $state.raw<readonly number[]>([0]);
  playing = $state(false);
  /** Steps per second. */
  speed = $state(12);
  /** Opacity of a saturated overlay, 0-1. */
  opacity = $state<number>(DEFAULTS.opacity);
  combineSigns = $state<boolean>(DEFAULTS.together);
  residualShown = $state<boolean>(DEFAULTS.residual);
  /** Whether the attribution lies over the grey frame, or is alone. */
  onFrame = $state<boolean>(DEFAULTS.onFrame);
  /** Whether the observation is shown as people see the game. */
  human = $state<boolean>(DEFAULTS.human);
  /** Whether the other agent's trajectory through the same levels is shown beside this one. */
  beside = $state<boolean>(DEFAULTS.beside);
  bySteps = $state<boolean>(DEFAULTS.bySteps);
  hidden = $state.raw<ReadonlySet<number>>(new Set());
  isolated = $state<Channel | null>(null);
  /** The feature whose examples are open. */
  openFeature = $state<number | null>(null);
  /** Objects that are marked in the observation. */
  objects = $state.raw<ReadonlySet<number>>(new Set());
  helpOpen = $state(false);
  /** Names given on this page, for each layer. */
  #names = $state.raw<ReadonlyMap<number, readonly string[]>>(new Map());

  constructor(report: Report) {
    this.report = report;
    this.episodes = report.trajectories.map((trajectory) => episodesOf(trajectory, report.hasLevels));
    const shown = report.trajectories[0]?.attributions ?? [];
    const first = shown.find(([layer]) => report.layers[layer]?.kind === "attribution") ?? shown[0];
    if (first) [this.layer, this.scores] = [first[0], [first[1]]];
  }

  get current(): Trajectory {
    return this.report.trajectories[this.trajectory]!;
  }
  get numSteps(): number {
    return this.current.numSteps;
  }
  get currentLayer(): Layer | undefined {
    return this.report.layers[this.layer];
  }
  /** The score that the legend and the objects speak of. */
  get currentScore(): Score | undefined {
    return this.report.scores[this.scores[0] ?? 0];
  }
  get features(): Feature[] {
    return this.currentLayer?.features ?? [];
  }
  nameOf(feature: number, layer = this.layer): string {
    return this.#names.get(layer)?.[feature] ?? this.report.layers[layer]?.features[feature]?.name ?? "";
  }
  /** An empty name gives the report's own back. */
  rename(feature: number, name: string, layer = this.layer): void {
    const { features } = this.report.layers[layer]!;
    const names = features.map((own, f) =>
      f === feature ? name.trim() || own.name : this.nameOf(f, layer),
    );
    this.#names = new Map(this.#names).set(layer, names);
  }
  get labels(): Labels {
    return toLabels(this.report.layers, (layer, feature) => this.nameOf(feature, layer));
  }
  /** Takes over the names of the layers that the report has; the number of features they fit. */
  applyLabels(labels: Labels): number {
    let taken = 0;
    this.report.layers.forEach((layer, index) => {
      const names = Object.hasOwn(labels.layers, layer.name) ? labels.layers[layer.name]! : [];
      names.slice(0, layer.features.length).forEach((name, feature) => {
        this.rename(feature, name, index);
        taken++;
      });
    });
    return taken;
  }
  get currentEpisodes(): Episode[] {
    return this.episodes[this.trajectory]!;
  }
  get episode(): number {
    return episodeAt(this.currentEpisodes, this.step);
  }
  get isGradient(): boolean {
    return this.currentLayer?.kind === "gradient";
  }
  /** The layer of a trajectory that is shown: the one that is selected, or what another agent has
   * in its place. */
  layerFor(trajectory: number): number {
    const own = new Set(this.report.trajectories[trajectory]!.attributions.map(([layer]) => layer));
    const { layers } = this.report;
    const others = layers.flatMap(({ counterpart }, index) =>
      counterpart === this.layer || layers[this.layer]?.counterpart === index ? [index] : [],
    );
    return [this.layer, ...others].find((layer) => own.has(layer)) ?? this.layer;
  }
  hasAttribution(score: number, trajectory = this.trajectory): boolean {
    const layer = this.layerFor(trajectory);
    return this.report.trajectories[trajectory]!.attributions.some(
      ([l, s]) => l === layer && s === score,
    );
  }
  get moment(): Moment {
    return { trajectory: this.trajectory, step: this.step };
  }
  /** The other agent's trajectory, if it is to be shown. */
  get besideTrajectory(): number | null {
    return this.beside ? this.current.counterpart : null;
  }
  get alignment(): Alignment {
    return this.bySteps ? "step" : "episode";
  }
  /** The other agent's moment that belongs beside this one; null as well where it has none. */
  get besideMoment(): Moment | null {
    const trajectory = this.besideTrajectory;
    if (trajectory === null) return null;
    const there = this.episodes[trajectory]!;
    const step = alignedStep(this.step, this.currentEpisodes, there, this.alignment);
    return step === null ? null : { trajectory, step };
  }
  /** The agent that plays a trajectory, or what else it is called. */
  playerOf(trajectory: number): string {
    const { agent, label } = this.report.trajectories[trajectory]!;
    return this.report.agents[agent] ?? label;
  }
  showsHumanOf(trajectory: number): boolean {
    return this.human && this.report.trajectories[trajectory]!.humanChunk !== null;
  }

  get overlayColors(): OverlayColors {
    return this.overlayColorsOf(this.layer);
  }
  /** What the overlays show: the isolated channel alone, else all that are not hidden; of a layer
   * that is not selected all. */
  overlayColorsOf(layer: number): OverlayColors {
    if (layer !== this.layer) {
      const features = this.report.layers[layer]?.features ?? [];
      return {
        features: features.map(({ color }) => color),
        residual: this.residualShown ? RESIDUAL_COLOR : null,
      };
    }
    const shown = (channel: Channel): boolean =>
      this.isolated === null ? this.shows(channel) : this.isolated === channel;
    return {
      features: this.features.map((feature, index) => (shown(index) ? feature.color : null)),
      residual: shown("residual") ? RESIDUAL_COLOR : null,
    };
  }

  seek(step: number): void {
    this.step = clamp(Math.round(step), this.numSteps - 1);
  }
  /** Stepping by hand stops the playing. */
  moveBy(steps: number): void {
    this.playing = false;
    this.seek(this.step + steps);
  }
  togglePlay(): void {
    if (!this.playing && this.step === this.numSteps - 1) this.step = 0;
    this.playing = !this.playing;
  }
  nextEpisode(): void {
    const next = this.currentEpisodes[this.episode + 1];
    if (next) this.seek(next.start);
  }
  previousEpisode(): void {
    const start = this.currentEpisodes[this.episode]!.start;
    const before = this.currentEpisodes[this.episode - 1];
    this.seek(this.step > start || !before ? start : before.start);
  }
  selectTrajectory(trajectory: number, step = 0): void {
    this.trajectory = clamp(trajectory, this.report.trajectories.length - 1);
    this.seek(step);
    const layer = this.layerFor(this.trajectory);
    if (layer !== this.layer) this.selectLayer(layer);
  }
  selectLayer(layer: number): void {
    this.layer = layer;
    this.hidden = new Set();
    this.isolated = null;
    this.openFeature = null;
  }
  setScore(row: number, score: number): void {
    this.scores = this.scores.map((before, index) => (index === row ? score : before));
  }
  /** Adds a row, of the first score that has none yet. */
  addRow(): void {
    const next = this.report.scores.findIndex((_, score) => !this.scores.includes(score));
    this.scores = [...this.scores, Math.max(next, 0)];
  }
  removeRow(row: number): void {
    if (this.scores.length > 1) this.scores = this.scores.filter((_, index) => index !== row);
  }
  toggleObject(object: number): void {
    const objects = new Set(this.objects);
    if (!objects.delete(object)) objects.add(object);
    this.objects = objects;
  }
  /** Opens the examples of a feature, where there are any. */
  open(feature: number): void {
    if (this.features[feature]?.thumbnails.count) this.openFeature = feature;
  }
  /** Whether a channel of the selected layer takes part in the overlays. */
  shows(channel: Channel): boolean {
    return channel === "residual" ? this.residualShown : !this.hidden.has(channel);
  }
  toggle(channel: Channel): void {
    if (channel === "residual") {
      this.residualShown = !this.residualShown;
    } else if (channel < this.features.length) {
      const hidden = new Set(this.hidden);
      if (!hidden.delete(channel)) hidden.add(channel);
      this.hidden = hidden;
    }
  }

  get place(): Place {
    return {
      trajectory: this.trajectory,
      step: this.step,
      layer: this.currentLayer?.name ?? "",
      scores: this.scores.map((score) => this.report.scores[score]?.name ?? ""),
      hidden: [...this.hidden].sort((a, b) => a - b),
      residual: this.residualShown,
      together: this.combineSigns,
      onFrame: this.onFrame,
      opacity: this.opacity,
      feature: this.openFeature,
      human: this.human,
      beside: this.beside,
      bySteps: this.bySteps,
      objects: [...this.objects].map((object) => this.report.objectNames[object] ?? ""),
    };
  }
  /** Goes where a link points; what the report does not have stays as it is. */
  go(place: Partial<Place>): void {
    const layer = this.report.layers.findIndex(({ name }) => name === place.layer);
    if (layer >= 0 && layer !== this.layer) this.selectLayer(layer);
    const indices = (wanted: readonly string[], known: readonly string[]): number[] =>
      wanted.map((name) => known.indexOf(name)).filter((index) => index >= 0);
    const scores = indices(place.scores ?? [], this.report.scores.map(({ name }) => name));
    if (scores.length > 0) this.scores = scores;
    if (place.objects) this.objects = new Set(indices(place.objects, this.report.objectNames));
    if (place.hidden) this.hidden = new Set(place.hidden.filter((f) => f < this.features.length));
    this.residualShown = place.residual ?? this.residualShown;
    this.combineSigns = place.together ?? this.combineSigns;
    this.onFrame = place.onFrame ?? this.onFrame;
    this.opacity = place.opacity ?? this.opacity;
    this.human = place.human ?? this.human;
    this.beside = place.beside ?? this.beside;
    this.bySteps = place.bySteps ?? this.bySteps;
    if (place.feature !== undefined && place.feature !== null) this.open(place.feature);
    this.selectTrajectory(place.trajectory ?? this.trajectory, place.step ?? this.step);
  }
}
