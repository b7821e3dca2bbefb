// The editor: a recorded moment, what was done to it, and what the agent makes of it now.

import { untrack } from "svelte";
import type { Observations, Score } from "../data/contract";
import type { View } from "../view/view.svelte";
import { LiveError, type Client } from "./client";
import { moveEvent, movedThing, removeEvent, sameThing, type Stamp } from "./edits";
import type { Point } from "./geometry";
import {
  applied, beforeEdits, cursorAfter, cut, EMPTY, extended, isAction, moved, numActions, redone,
  restored, undone, type History,
} from "./history";
import { keyOf, Moments } from "./moments";
import type { About, Event, Frame, Moment, MomentRequest, Thing } from "./protocol";

export type Tool = "select" | "brush" | Stamp;

/** A thing with a name of its own, which it keeps wherever it is moved. */
export type Placed = Thing & { id: number };

/** What the moment is compared with; null: with nothing. */
export type Reference = "recorded" | "unedited" | null;

export class Editor {
  readonly view: View;
  readonly #client: Client;
  readonly #moments: Moments;

  about = $state.raw<About | null>(null);
  isOpen = $state(false);
  history = $state.raw<History>(EMPTY);
  tool = $state<Tool>("select");
  /** Pixels across. */
  brushSize = $state(6);
  /** Whether the arrow keys act in the game. */
  byHand = $state(false);
  /** Whether the cursor runs along what the agent played. */
  playing = $state(false);
  isWaiting = $state(false);
  error = $state.raw<Error | null>(null);
  /** The newest answers; `isCurrent` tells whether `now` is of the cursor. */
  now = $state.raw<Moment | null>(null);
  before = $state.raw<Moment | null>(null);
  things = $state.raw<readonly Placed[]>([]);
  /** By number of actions: the value then, as far as it was seen. */
  values = $state.raw<readonly (number | undefined)[]>([]);
  /** By number of actions: what the agent saw when it played. */
  #frames = $state.raw<readonly (Frame | undefined)[]>([]);
  #shownKey = $state("");
  #queue: number[] = [];
  #nextId = 0;
  #seed = 0;

  constructor(view: View, client: Client) {
    this.view = view;
    this.#client = client;
    this.#moments = new Moments(
      (request) => client.moment(request),
      () => this.#show(),
      (error, key) => this.#refused(error, key),
    );
  }

  /** The events that count now. */
  get events(): readonly Event[] {
    return applied(this.history);
  }
  get numActions(): number {
    return numActions(this.events);
  }
  /** Of all that was played, undone or not. */
  get numPlayed(): number {
    return numActions(this.history.events);
  }
  get isCurrent(): boolean {
    return this.#shownKey === keyOf(this.#request(this.view.step, this.events));
  }
  /** How the episode ended; nothing can follow. */
  get end(): string | null {
    return this.isCurrent ? (this.now?.end ?? null) : null;
  }
  get isBusy(): boolean {
    return this.isWaiting || !this.isCurrent;
  }
  get score(): Score | undefined {
    return this.view.currentScore;
  }
  /** The frame of the cursor, or the last one there was. */
  get picture(): Observations | null {
    return this.#frame?.picture ?? this.now?.picture ?? null;
  }
  get value(): number | null {
    return this.#frame?.value ?? this.now?.value ?? null;
  }
  get policyLogits(): readonly number[] | null {
    return this.#frame?.policyLogits ?? this.now?.policyLogits ?? null;
  }
  /** What was seen while playing stands in until the moment itself has come. */
  get #frame(): Frame | undefined {
    if (this.isCurrent || !isAction(this.events.at(-1))) return undefined;
    return this.#frames[this.numActions];
  }
  /**
   * Edits with the moment before them; what was played with the recording at the same step, as long
   * as its episode lasts.
   */
  get reference(): Reference {
    const { events, view } = this;
    if (events.length > 0 && !isAction(events.at(-1))) {
      return this.numActions === 0 ? "recorded" : "unedited";
    }
    const { end } = view.currentEpisodes[view.episode]!;
    return view.step + this.numActions < end ? "recorded" : null;
  }
  #request(step: number, history: readonly Event[]): MomentRequest {
    const { trajectory, report, scores, currentLayer } = this.view;
    const score = report.scores[scores[0] ?? 0]?.name;
    return {
      trajectory, step, history, layer: currentLayer?.name ?? "", scores: score === undefined ? [] : [score],
    };
  }
  get #referenceRequest(): MomentRequest | null {
    const { step } = this.view;
    if (this.reference === null) return null;
    return this.reference === "recorded"
      ? this.#request(step + this.numActions, [])
      : this.#request(step, beforeEdits(this.events));
  }

  /** Asks for what the page shows now; called again whenever that changes. */
  refresh(): void {
    const wanted = [this.#request(this.view.step, this.events), this.#referenceRequest];
    untrack(() => {
      this.#want(wanted);
      this.#show();
    });
  }
  /** The values that the graph lacks are asked for last: links bring the actions alone. */
  #want(moments: readonly (MomentRequest | null)[]): void {
    const gap = this.#gap;
    const wanted = gap === null ? moments : [...moments, this.#gapRequest(gap)];
    this.#moments.want(wanted.filter((request) => request !== null));
  }
  /** The first number of actions after which the value is not known. */
  get #gap(): number | null {
    for (let k = 0; k <= this.numPlayed; k++) {
      // That of the cursor comes with its moment.
      if (this.values[k] === undefined && k !== this.numActions) return k;
    }
    return null;
  }
  #gapRequest(k: number): MomentRequest {
    const { events } = this.history;
    return { ...this.#request(this.view.step, events.slice(0, cursorAfter(events, k))), scores: [] };
  }

  #show(): void {
    if (!this.isOpen) return;
    const key = keyOf(this.#request(this.view.step, this.events));
    const now = this.#moments.known(key);
    if (now && key !== this.#shownKey) {
      this.now = now;
      this.#shownKey = key;
      this.things = this.#placed(now.scene?.things ?? []);
      this.values = Object.assign([...this.values], { [this.numActions]: now.value });
      if (now.end === null) this.#actNext();
      else {
        this.byHand = false;
        this.#queue = [];
      }
    }
    const reference = this.#referenceRequest;
    this.before = reference && (this.#moments.known(keyOf(reference)) ?? this.before);
    const gap = this.#gap;
    const filling = gap === null ? null : this.#moments.known(keyOf(this.#gapRequest(gap)));
    if (gap !== null && filling) {
      this.values = Object.assign([...this.values], { [gap]: filling.value });
      this.#want([this.#request(this.view.step, this.events), reference]);
    }
  }

  /** Each place once: crates may lie in one cell together. */
  #placed(things: readonly Thing[]): Placed[] {
    return things
      .filter((thing, index) => things.findIndex((other) => sameThing(other, thing)) === index)
      .map((thing) => ({
        ...thing,
        id: this.things.find((old) => sameThing(old, thing))?.id ?? this.#nextId++,
      }));
  }

  /** What the server refuses was not done. */
  #refused(error: Error, key: string): void {
    const isNow = key === keyOf(this.#request(this.view.step, this.events));
    const reference = this.#referenceRequest;
    if (!isNow && !(reference && key === keyOf(reference))) return;
    this.error = error;
    this.playing = false;
    this.#queue = [];
    if (!isNow || !(error instanceof LiveError && error.isRefusal) || this.history.cursor === 0) return;
    this.history = cut(undone(this.history));
  }

  async open(): Promise<void> {
    this.view.playing = false;
    this.isOpen = true;
    this.#start(EMPTY);
    try {
      this.about ??= await this.#client.about();
      if (!this.about.scene && this.tool === "select") this.tool = "brush";
    } catch (error) {
      this.error = error as Error;
    }
  }
  close(): void {
    this.isOpen = false;
    this.playing = this.byHand = false;
    this.#queue = [];
  }
  /** Goes where a link leads; null: not into the editor. */
  restore(events: readonly Event[] | null): void {
    if (events === null) return this.close();
    void this.open();
    this.#start(restored(events));
  }
  #start(history: History): void {
    this.history = history;
    this.error = null;
    this.values = [];
    this.#frames = [];
  }

  /** Changes the moment. */
  do(event: Event): void {
    if (this.end !== null) return;
    this.#commit([event]);
  }
  #commit(events: readonly Event[]): void {
    this.playing = false;
    this.error = null;
    const known = this.numActions + 1;
    this.values = this.values.slice(0, known);
    this.#frames = this.#frames.slice(0, known);
    this.history = extended(this.history, events);
  }
  undo(): void {
    this.#go(undone(this.history));
  }
  redo(): void {
    this.#go(redone(this.history));
  }
  reset(): void {
    this.#go(moved(this.history, 0));
  }
  /** To the end of the k-th step of what was played. */
  seek(k: number): void {
    this.#go(moved(this.history, cursorAfter(this.history.events, k)));
  }
  #go(history: History): void {
    this.playing = false;
    this.error = null;
    this.history = history;
  }
  get canUndo(): boolean {
    return this.history.cursor > 0;
  }
  get canRedo(): boolean {
    return this.history.cursor < this.history.events.length;
  }

  /** Moves a thing by cells, right and up. What is seen follows at once, the rest when it is known. */
  move(thing: Placed, by: Point): void {
    const scene = this.now?.scene;
    const event = scene && moveEvent(thing, scene, by);
    if (!event || this.end !== null) return;
    const there = { ...movedThing(thing, scene, by), id: thing.id };
    this.things = this.things.map((old) => (old.id === thing.id ? there : old));
    this.do(event);
  }
  remove(thing: Placed): void {
    const event = removeEvent(thing);
    if (!event || this.end !== null) return;
    this.things = this.things.filter((old) => old.id !== thing.id);
    this.do(event);
  }

  /** Takes an action by hand; those that come too fast wait their turn. */
  act(action: number): void {
    this.#queue.push(action);
    if (!this.isBusy) this.#actNext();
  }
  #actNext(): void {
    const action = this.#queue.shift();
    if (action !== undefined && this.end === null) this.#commit([{ action }]);
  }

  /** Lets the agent play on from the cursor, and shows it step by step. */
  async play(numSteps: number, greedy: boolean): Promise<void> {
    const { history, events, view } = this;
    if (this.isWaiting || this.end !== null) return;
    this.error = null;
    this.isWaiting = true;
    try {
      const { trajectory, step } = view;
      const frames = await this.#client.play({
        trajectory, step, history: events, num_steps: numSteps, greedy, seed: this.#seed++,
      });
      if (this.history !== history || !this.isOpen) return;
      const known = this.numActions + 1;
      this.#commit(frames.map(({ action }) => ({ action })));
      this.values = [...padded(this.values, known), ...frames.map(({ value }) => value)];
      this.#frames = [...padded(this.#frames, known), ...frames];
      this.history = moved(this.history, history.cursor);
      this.playing = frames.length > 0;
    } catch (error) {
      this.error = error as Error;
    } finally {
      this.isWaiting = false;
    }
  }
  /** One step of showing what was played. */
  advance(): void {
    this.history = moved(this.history, this.history.cursor + 1);
    if (this.history.cursor === this.history.events.length) this.playing = false;
  }
}

/** The same number of entries as `length`, unknown where there are fewer. */
function padded<T>(entries: readonly (T | undefined)[], length: number): (T | undefined)[] {
  return Array.from({ length }, (_, index) => entries[index]);
}
