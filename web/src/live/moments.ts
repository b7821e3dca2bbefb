// Asks for moments one at a time, the newest wish first: what is no longer wanted is not asked for,
// and an answer that comes too late is only kept, not shown.

import { LiveError } from "./client";
import type { Moment, MomentRequest } from "./protocol";

/** Undoing and redoing a good while need not ask again. */
const CAPACITY = 64;

export const keyOf = (request: MomentRequest): string => JSON.stringify(request);

export class Moments {
  readonly #ask: (request: MomentRequest) => Promise<Moment>;
  readonly #onChange: () => void;
  readonly #onError: (error: Error, key: string) => void;
  readonly #known = new Map<string, Moment>();
  #wanted: readonly MomentRequest[] = [];
  #isAsking = false;

  /**
   * @param onChange called after each answer, and when nothing more is to be asked.
   * @param onError called if what cannot be had is still wanted; it is not asked for again until
   *   it is wanted anew.
   */
  constructor(
    ask: (request: MomentRequest) => Promise<Moment>,
    onChange: () => void,
    onError: (error: Error, key: string) => void,
  ) {
    this.#ask = ask;
    this.#onChange = onChange;
    this.#onError = onError;
  }

  get isBusy(): boolean {
    return this.#isAsking;
  }

  known(key: string): Moment | null {
    return this.#known.get(key) ?? null;
  }

  /** In order of importance; replaces what was wanted before. */
  want(requests: readonly MomentRequest[]): void {
    this.#wanted = requests;
    if (!this.#isAsking) void this.#askAll();
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    for (;;) {
      const next = this.#wanted.find((request) => !this.#known.has(keyOf(request)));
      if (!next) break;
      const key = keyOf(next);
      try {
        this.#keep(key, await this.#ask(next));
        this.#onChange();
      } catch (error) {
        const isWanted = this.#wanted.some((request) => keyOf(request) === key);
        this.#wanted = this.#wanted.filter((request) => keyOf(request) !== key);
        const known = error instanceof LiveError ? error : new LiveError(String(error), { cause: error });
        if (isWanted) this.#onError(known, key);
      }
    }
    this.#isAsking = false;
    this.#onChange();
  }

  #keep(key: string, moment: Moment): void {
    this.#known.set(key, moment);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= CAPACITY) break;
      this.#known.delete(oldest);
    }
  }
}
