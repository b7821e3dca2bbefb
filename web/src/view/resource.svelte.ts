// The file that the view needs now. Others that arrive late are not shown.

export class Resource<T> {
  #loaded = $state.raw<{ path: string; value: T | null; error: Error | null } | null>(null);

  load(path: string, promise: Promise<T>): void {
    promise.then(
      (value) => void (this.#loaded = { path, value, error: null }),
      (error: unknown) => void (this.#loaded = { path, value: null, error: error as Error }),
    );
  }
  valueAt(path: string | null): T | null {
    return this.#loaded?.path === path ? this.#loaded.value : null;
  }
  errorAt(path: string | null): Error | null {
    return this.#loaded?.path === path ? this.#loaded.error : null;
  }
}
