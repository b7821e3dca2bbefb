import { expect, test } from "vitest";
import { loadFile, DataFileError } from "../src/data/load";
import { messageSource, parseScript } from "../src/sources/messages";

const script = (path: string, content: unknown): string =>
  `rlvisionReceive(${JSON.stringify(path)},${JSON.stringify(content)});\n`;

/** A widget's model whose kernel answers when told to. */
function kernel() {
  const listeners = new Set<(...values: never[]) => void>();
  const sent: unknown[] = [];
  return {
    sent,
    listeners,
    get: () => undefined,
    send: (content: unknown) => void sent.push(content),
    on: (_: string, listener: (...values: never[]) => void) => void listeners.add(listener),
    off: (_: string, listener: (...values: never[]) => void) => void listeners.delete(listener),
    answer(content: unknown, text?: string) {
      // A part of a larger buffer, as some notebooks hand it over.
      const bytes = new TextEncoder().encode(`....${text}`);
      const buffers = text === undefined ? [] : [new DataView(bytes.buffer, 4, bytes.length - 4)];
      for (const listener of listeners) listener(...([content, buffers] as never[]));
    },
  };
}

test("a file asked for twice comes once, and another view's answer is left", async () => {
  const model = kernel();
  const source = messageSource(model);
  const both = Promise.all([source.read("data/a.js"), source.read("data/a.js")]);
  expect(model.sent).toEqual([{ path: "data/a.js" }]);
  model.answer({ path: "data/b.js" }, script("data/b.js", 2));
  model.answer({ path: "data/a.js" }, script("data/a.js", { one: "é;);" }));
  expect(await both).toEqual([{ one: "é;);" }, { one: "é;);" }]);
  const again = source.read("data/a.js");
  expect(model.sent.length).toBe(2);
  model.answer({ path: "data/a.js" }, script("data/a.js", 1));
  expect(await again).toBe(1);
});

test("what the kernel says is wrong reaches the reader, and so does a file cut short", async () => {
  const model = kernel();
  const source = messageSource(model);
  const refused = loadFile(source, "data/a.js", async (content) => content);
  model.answer({ path: "data/a.js", error: "data/a.js is damaged" });
  await expect(refused).rejects.toThrow(new DataFileError("data/a.js is damaged"));
  const short = loadFile(source, "data/a.js", async (content) => content);
  model.answer({ path: "data/a.js" }, script("data/a.js", [1, 2]).slice(0, -4));
  await expect(short).rejects.toThrow("incomplete or damaged");
});

test("a closed source listens no longer", () => {
  const model = kernel();
  messageSource(model).close();
  expect(model.listeners.size).toBe(0);
});

test("a script of another file is not taken for this one's", () => {
  expect(parseScript("data/a.js", script("data/a.js", null))).toBeNull();
  expect(parseScript("data/a.js", script("data/ab.js", 1))).toBeUndefined();
  expect(parseScript("data/a.js", "")).toBeUndefined();
});
