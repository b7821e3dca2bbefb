import { expect, test } from "vitest";
import { toWebm, type EncodedFrame } from "../src/video/webm";

interface Element {
  id: string;
  /** Of the content, in the file. */
  at: number;
  content: Uint8Array;
  children: Element[];
}

const PARENTS = new Set(["18538067", "1f43b675", "1549a966", "1c53bb6b", "bb", "b7"]);

/** Reads EBML as its specification says: lengths of any width, not only those that are written. */
function parse(bytes: Uint8Array, offset = 0): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const idLength = Math.clz32(bytes[at]!) - 23;
    const id = [...bytes.subarray(at, at + idLength)].map((b) => b.toString(16).padStart(2, "0")).join("");
    at += idLength;
    const sizeLength = Math.clz32(bytes[at]!) - 23;
    let size = bytes[at]! & (0xff >> sizeLength);
    for (let i = 1; i < sizeLength; i++) size = size * 256 + bytes[at + i]!;
    at += sizeLength;
    const content = bytes.subarray(at, at + size);
    expect(content.length).toBe(size); // nothing is cut off
    const children = PARENTS.has(id) ? parse(content, offset + at) : [];
    elements.push({ id, at: offset + at, content, children });
    at += size;
  }
  return elements;
}
const number = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum * 256 + byte, 0);
const all = (elements: Element[], id: string): Element[] => elements.filter((e) => e.id === id);

const TRACK = { codec: "V_VP9", width: 640, height: 300, duration: 2500 } as const;
const frames: EncodedFrame[] = [0, 500, 1000, 1500, 2000].map((time, index) => ({
  data: Uint8Array.from([index, 255 - index]), time, isKey: index % 3 === 0,
}));

test("every frame is in the file once, at its time, a cluster from key frame to key frame", () => {
  const [header, segment] = parse(toWebm(TRACK, frames));
  expect(header!.id).toBe("1a45dfa3");
  const clusters = all(segment!.children, "1f43b675");
  const blocks = clusters.map(({ children }) => {
    const start = number(all(children, "e7")[0]!.content);
    return all(children, "a3").map(({ content }) => ({
      time: start + number(content.subarray(1, 3)),
      isKey: content[3] === 0x80,
      data: content.slice(4),
    }));
  });
  expect(blocks.map((group) => group.length)).toEqual([3, 2]);
  expect(blocks.flat()).toEqual(frames);
  const info = all(segment!.children, "1549a966")[0]!;
  const duration = all(info.children, "4489")[0]!.content;
  expect(new DataView(duration.buffer, duration.byteOffset).getFloat64(0)).toBe(2500);
});

test("cues point at the clusters", () => {
  const file = toWebm(TRACK, frames);
  const segment = parse(file)[1]!;
  const cues = all(segment.children, "1c53bb6b")[0]!.children.map(({ children }) => ({
    time: number(all(children, "b3")[0]!.content),
    place: number(all(all(children, "b7")[0]!.children, "f1")[0]!.content),
  }));
  expect(cues.map(({ time }) => time)).toEqual([0, 1500]);
  for (const { place } of cues) {
    const at = segment.at + place;
    expect([...file.subarray(at, at + 4)]).toEqual([0x1f, 0x43, 0xb6, 0x75]);
  }
});

test("frames that no block can say are refused", () => {
  expect(() => toWebm(TRACK, [{ ...frames[0]!, isKey: false }])).toThrow("begins with a key frame");
  expect(() => toWebm(TRACK, [frames[0]!, { ...frames[1]!, time: 32768 }])).toThrow("Too long");
});
