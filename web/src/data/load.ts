// Loads the data files as classic scripts: a page opened from disk may not fetch.
// Each script calls rlvisionReceive(path, content).

declare global {
  interface Window {
    rlvisionReceive(path: string, content: unknown): void;
  }
}

/** A file of the report that cannot be shown; the message is one sentence for the reader. */
export class DataFileError extends Error {}

const received = new Map<string, unknown>();

export function installReceiver(): void {
  window.rlvisionReceive = (path, content) => void received.set(path, content);
}

function runScript(path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = () => {
      script.remove();
      const content = received.get(path);
      received.delete(path);
      if (content === undefined) reject(damaged(path));
      else resolve(content);
    };
    script.onerror = () => {
      script.remove();
      reject(
        new DataFileError(
          `The file ${path} of this report is missing: copy the whole report folder again, or write the report anew.`,
        ),
      );
    };
    document.head.append(script);
  });
}

function damaged(path: string, cause?: unknown): DataFileError {
  const detail = cause instanceof Error && cause.message ? ` (${cause.message})` : "";
  return new DataFileError(
    `The file ${path} of this report is incomplete or damaged${detail}: copy the whole report folder again, or write the report anew.`,
    { cause },
  );
}

/** Loads one file and unpacks it. Rejects with DataFileError only. */
export async function loadFile<P, T>(path: string, unpack: (packed: P) => Promise<T>): Promise<T> {
  const content = await runScript(path);
  try {
    return await unpack(content as P);
  } catch (error) {
    throw damaged(path, error);
  }
}

/** Keeps the `capacity` most recently used results of `load`; failures are forgotten. */
export function cached<T>(capacity: number, load: (key: string) => Promise<T>) {
  const entries = new Map<string, Promise<T>>();
  return (key: string): Promise<T> => {
    const entry = entries.get(key) ?? load(key);
    entries.delete(key);
    entries.set(key, entry);
    entry.catch(() => entries.delete(key));
    for (const oldest of entries.keys()) {
      if (entries.size <= capacity) break;
      entries.delete(oldest);
    }
    return entry;
  };
}
