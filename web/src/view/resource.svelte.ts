// The files that the view needs now. Others that arrive late are not shown.

import { untrack } from "svelte";

interface Loaded<T> {
  value: T | null;
  error: Error | null;
}

export class Resources<T> {
  #loaded = $state.raw<ReadonlyMap<string, Loaded<T>>>(new Map());
  #wanted = new Set<string>();
  readonly #load: (path: string) => Promise<T>;

  constructor(load: (path: string) => Promise<T>) {
    this.#load = load;
  }

  /** Loads what is not there yet; lets go of everything else. */
  want(paths: readonly string[]): void {
    const before = this.#wanted;
    this.#wanted = new Set(paths);
    const loaded = untrack(() => this.#loaded);
    const kept = new Map([...loaded].filter(([path]) => this.#wanted.has(path)));
    if (kept.size < loaded.size) this.#loaded = kept;
    for (const path of this.#wanted) {
      if (kept.has(path) || before.has(path)) continue;
      this.#load(path).then(
        (value) => this.#keep(path, { value, error: null }),
        (error: unknown) => this.#keep(path, { value: null, error: error as Error }),
      );
    }
  }
  #keep(path: string, loaded: Loaded<T>): void {
    if (this.#wanted.has(path)) this.#loaded = new Map(this.#loaded).set(path, loaded);
  }

  valueAt(path: string | null): T | null {
    return (path === null ? null : this.#loaded.get(path)?.value) ?? null;
  }
  get errors(): Error[] {
    return [...this.#loaded.values()].flatMap(({ error }) => (error ? [error] : []));
  }
}
