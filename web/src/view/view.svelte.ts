// What the reader is looking at: one object that the panels read and change.

import type { Feature, Layer, Report, Score, Trajectory } from "../data/contract";
import { episodeAt, episodesOf, type Episode } from "../data/trajectory";
import type { OverlayColors } from "../drawing/overlay";
import { RESIDUAL_COLOR } from "../drawing/palette";
import type { Place } from "./url";

export const SPEEDS = [2, 6, 12, 25, 50] as const;

/** A feature's index, or everything that the features do not carry. */
export type Channel = number | "residual";

const clamp = (value: number, last: number): number => Math.max(0, Math.min(last, value));

export class View {
  readonly report: Report;
  readonly episodes: readonly Episode[][];

  trajectory = $state(0);
  step = $state(0);
  layer = $state(0);
  score = $state(0);
  playing = $state(false);
  /** Steps per second. */
  speed = $state(12);
  /** Opacity of a saturated overlay, 0-1. */
  opacity = $state(0.9);
  combineSigns = $state(false);
  residualShown = $state(false);
  hidden = $state.raw<ReadonlySet<number>>(new Set());
  isolated = $state<Channel | null>(null);
  helpOpen = $state(false);

  constructor(report: Report) {
    this.report = report;
    this.episodes = report.trajectories.map((trajectory) => episodesOf(trajectory, report.hasLevels));
    const first = report.trajectories[0]?.attributions[0];
    if (first) [this.layer, this.score] = first;
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
  get currentScore(): Score | undefined {
    return this.report.scores[this.score];
  }
  get features(): Feature[] {
    return this.currentLayer?.features ?? [];
  }
  get currentEpisodes(): Episode[] {
    return this.episodes[this.trajectory]!;
  }
  get episode(): number {
    return episodeAt(this.currentEpisodes, this.step);
  }
  get hasAttribution(): boolean {
    return this.current.attributions.some(
      ([layer, score]) => layer === this.layer && score === this.score,
    );
  }

  /** What the overlays show: the isolated channel alone, else all that are not hidden. */
  get overlayColors(): OverlayColors {
    const shown = (index: number): boolean =>
      this.isolated === null ? !this.hidden.has(index) : this.isolated === index;
    const residual = this.isolated === null ? this.residualShown : this.isolated === "residual";
    return {
      features: this.features.map((feature, index) => (shown(index) ? feature.color : null)),
      residual: residual ? RESIDUAL_COLOR : null,
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
  }
  selectLayer(layer: number): void {
    this.layer = layer;
    this.hidden = new Set();
    this.isolated = null;
  }
  toggleFeature(feature: number): void {
    if (feature >= this.features.length) return;
    const hidden = new Set(this.hidden);
    if (!hidden.delete(feature)) hidden.add(feature);
    this.hidden = hidden;
  }
  toggleResidual(): void {
    this.residualShown = !this.residualShown;
  }

  get place(): Place {
    return {
      trajectory: this.trajectory,
      step: this.step,
      layer: this.currentLayer?.name ?? "",
      score: this.currentScore?.name ?? "",
    };
  }
  /** Goes where a link points; what the report does not have stays as it is. */
  go(place: Partial<Place>): void {
    const layer = this.report.layers.findIndex(({ name }) => name === place.layer);
    const score = this.report.scores.findIndex(({ name }) => name === place.score);
    if (layer >= 0 && layer !== this.layer) this.selectLayer(layer);
    if (score >= 0) this.score = score;
    this.selectTrajectory(place.trajectory ?? this.trajectory, place.step ?? this.step);
  }
}
