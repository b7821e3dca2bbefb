// Loads data files from wherever they are, and says in a sentence what is wrong with one.

/** A file of the report that cannot be shown; the message is one sentence for the reader. */
export class DataFileError extends Error {}

/** Where the files of a report are: beside the page (sources/scripts), or with a notebook's kernel
 * (sources/messages). */
export interface Source {
  /** The content of a file; undefined if it holds none. Rejects with DataFileError only. */
  read(path: string): Promise<unknown>;
}

function damaged(path: string, cause?: unknown): DataFileError {
  const detail = cause instanceof Error && cause.message ? ` (${cause.message})` : "";
  return new DataFileError(
    `The file ${path} of this report is incomplete or damaged${detail}: copy the whole report folder again, or write the report anew.`,
    { cause },
  );
}

/** Loads one file and unpacks it. Rejects with DataFileError only. */
export async function loadFile<P, T>(
  source: Source, path: string, unpack: (packed: P) => Promise<T>,
): Promise<T> {
  const content = await source.read(path);
  if (content === undefined) throw damaged(path);
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
