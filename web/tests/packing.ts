// Packs arrays as the Python writer does, for tests.
import { gzipSync } from "node:zlib";
import type { PackedArray } from "../src/data/contract";

export function pack(
  dtype: PackedArray["dtype"], shape: number[], values: ArrayBufferView,
): PackedArray {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { dtype, shape, data: gzipSync(bytes).toString("base64") };
}
