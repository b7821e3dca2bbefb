// The files that a notebook's kernel has, asked for over the messages of its widget: a request is
// {path}, the answer {path} with the file's bytes, or {path, error} (rlvision_jax/interface/notebook.py).

import { DataFileError, type Source } from "../data/load";

/** The part of a widget's model (anywidget) that is used here. */
export interface Model {
  get(name: string): unknown;
  on(event: string, listener: (...values: never[]) => void): void;
  off(event: string, listener: (...values: never[]) => void): void;
  send(content: unknown): void;
}

interface Answer {
  path: string;
  error?: string;
}

/** The argument of a data file's one call; undefined if the file is cut short or another one. */
export function parseScript(path: string, script: string): unknown {
  const start = `rlvisionReceive(${JSON.stringify(path)},`;
  const end = ");\n";
  if (!script.startsWith(start) || !script.endsWith(end)) return undefined;
  return JSON.parse(script.slice(start.length, -end.length));
}

/** Reads over the messages of `model`; `close` stops listening. */
export function messageSource(model: Model): Source & { close(): void } {
  /** What to do with the answers that have not come yet. */
  const waiting = new Map<string, (answer: Answer, bytes?: DataView) => void>();
  // Every view of the model hears every answer: what was not asked for here is left.
  function receive(answer: Answer, buffers: readonly DataView[]) {
    waiting.get(answer.path)?.(answer, buffers[0]);
    waiting.delete(answer.path);
  }
  model.on("msg:custom", receive);
  const ask = (path: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(path, ({ error }, bytes) => {
        if (error === undefined) resolve(parseScript(path, new TextDecoder().decode(bytes)));
        else reject(new DataFileError(error));
      });
      model.send({ path });
    });
  const asked = new Map<string, Promise<unknown>>();
  return {
    /** Several panels may want one file at once: it comes once. */
    read(path) {
      const before = asked.get(path);
      if (before) return before;
      const answer = ask(path).finally(() => asked.delete(path));
      asked.set(path, answer);
      return answer;
    },
    close: () => model.off("msg:custom", receive),
  };
}
