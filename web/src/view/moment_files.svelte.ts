// The files of one moment: its frames, attributions, objects and pictures, as the view moves.

import {
  attributionFile,
  humanFile,
  objectsFile,
  observationsFile,
  type Attribution,
  type Objects,
  type Observations,
} from "../data/contract";
import { cached, loadFile, type Source } from "../data/load";
import {
  unpackAttribution,
  unpackHuman,
  unpackObjects,
  unpackObservations,
} from "../data/unpack";
import { Resources } from "./resource.svelte";
import type { Moment, View } from "./view.svelte";

/** Loads what moments need; two that are shown beside each other share it. */
export function momentLoaders(source: Source) {
  return {
    observations: cached(4, (path) => loadFile(source, path, unpackObservations)),
    attribution: cached(8, (path) => loadFile(source, path, unpackAttribution)),
    objects: cached(4, (path) => loadFile(source, path, unpackObjects)),
    pictures: cached(8, (path) => loadFile(source, path, unpackHuman)),
  };
}
export type MomentLoaders = ReturnType<typeof momentLoaders>;

/** What the panels show of a moment; null while it has not come. */
export interface ShownMoment {
  observations: Observations | null;
  objects: Objects | null;
  /** Address of the frame for people; null as well where it is not shown. */
  picture: string | null;
  /** One for each row. */
  attributions: readonly (Attribution | null)[];
}

const some = (...paths: (string | null)[]): string[] => paths.filter((path) => path !== null);

/** Follows a moment of the view with its files; to be called as a component begins, and as long as
 * that lives.
 * @param momentOf - the moment; null: nothing is loaded. */
export function momentFiles(view: View, loaders: MomentLoaders, momentOf: () => Moment | null) {
  const observations = new Resources(loaders.observations);
  const attributions = new Resources(loaders.attribution);
  const objects = new Resources(loaders.objects);
  const pictures = new Resources(loaders.pictures);

  const index = $derived(momentOf()?.trajectory ?? null);
  const step = $derived(momentOf()?.step ?? 0);
  const trajectory = $derived(index === null ? null : view.report.trajectories[index]!);
  /** Frames for people come in files of so many steps; null: none are shown. */
  const size = $derived((view.human && trajectory?.humanChunk) || null);
  const chunk = $derived(size === null ? null : Math.floor(step / size));

  const observationsPath = $derived(index === null ? null : observationsFile(index));
  const objectsPath = $derived(index !== null && trajectory!.hasObjects ? objectsFile(index) : null);
  const picturesPath = $derived(index === null || chunk === null ? null : humanFile(index, chunk));
  /** The next file is fetched ahead, so that playing does not wait. */
  const followingPath = $derived(
    index === null || chunk === null || (chunk + 1) * size! >= trajectory!.numSteps
      ? null
      : humanFile(index, chunk + 1),
  );
  const attributionPaths = $derived(
    index === null
      ? []
      : view.scores.map((score) =>
          view.hasAttribution(score, index)
            ? attributionFile(index, view.layerFor(index), score)
            : null,
        ),
  );
  $effect(() => observations.want(some(observationsPath)));
  $effect(() => attributions.want(some(...attributionPaths)));
  $effect(() => objects.want(some(objectsPath)));
  $effect(() => pictures.want(some(picturesPath, followingPath)));

  const shown = $derived<ShownMoment>({
    observations: observations.valueAt(observationsPath),
    objects: objects.valueAt(objectsPath),
    picture: pictures.valueAt(picturesPath)?.[step % (size ?? 1)] ?? null,
    attributions: attributionPaths.map((path) => attributions.valueAt(path)),
  });
  const errors = $derived([
    ...observations.errors, ...attributions.errors, ...objects.errors, ...pictures.errors,
  ]);
  const waiting = $derived(
    errors.length === 0 &&
      ((observationsPath !== null && !shown.observations) ||
        (picturesPath !== null && !shown.picture) ||
        attributionPaths.some((path, row) => path !== null && !shown.attributions[row])),
  );
  return {
    get shown(): ShownMoment {
      return shown;
    },
    get errors(): Error[] {
      return errors;
    },
    /** Whether something that is to be shown has not come yet. */
    get waiting(): boolean {
      return waiting;
    },
  };
}
