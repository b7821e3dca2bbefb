import { expect, test } from "vitest";
import { FORMAT_VERSION, type PackedReport } from "../src/data/contract";
import { unpackArray, unpackReport } from "../src/data/unpack";
import { pack } from "./packing";

test("unpacked numbers are those packed", async () => {
  const values = new Float32Array([1.5, -2.25, 1e-30, 3e30, 0, -0]);
  const packed = pack("float32", [2, 3], values);
  expect(await unpackArray(packed, "float32", 2)).toEqual(values);
});

test("an array cut short is an error", async () => {
  const packed = pack("int32", [3], new Int32Array([1, 2, 3]));
  const cut = { ...packed, data: packed.data.slice(0, 16) };
  await expect(unpackArray(cut, "int32", 1)).rejects.toThrow();
});

test("a changed byte is an error", async () => {
  const packed = pack("uint8", [400], Uint8Array.from({ length: 400 }, (_, i) => (i * 89) % 256));
  const bytes = Buffer.from(packed.data, "base64");
  bytes[100]! ^= 1;
  const changed = { ...packed, data: bytes.toString("base64") };
  await expect(unpackArray(changed, "uint8", 1)).rejects.toThrow();
});

test("a shape that does not fit the bytes is named", async () => {
  const packed = pack("int32", [4], new Int32Array([1, 2, 3]));
  await expect(unpackArray(packed, "int32", 1)).rejects.toThrow("expected 16 bytes, got 12");
});

test("another dtype or number of axes is named", async () => {
  const packed = pack("int8", [2, 2], new Int8Array(4));
  await expect(unpackArray(packed, "float32", 2)).rejects.toThrow(
    "expected float32 with 2 axes, got int8 [2,2]",
  );
});

test("a report of another version is refused", async () => {
  const report = { version: FORMAT_VERSION + 1 } as PackedReport;
  await expect(unpackReport(report)).rejects.toThrow(
    `format version ${FORMAT_VERSION + 1}, this page reads ${FORMAT_VERSION}`,
  );
});

test("what a report of an earlier version lacks reads as absent", async () => {
  const numbers = pack("float32", [1], new Float32Array(1));
  const flags = pack("uint8", [1], new Uint8Array(1));
  const indices = pack("int32", [1], new Int32Array(1));
  const earlier: PackedReport = {
    format: "rlvision-report", version: FORMAT_VERSION, title: "", provenance: {},
    action_names: ["none"], layers: [{ name: "2b", features: [] }], scores: [], bookmarks: [],
    trajectories: [{
      label: "", attributions: [],
      series: {
        actions: indices, rewards: numbers, terminated: flags, truncated: flags,
        level_complete: flags, level_seeds: indices, values: numbers, advantages: numbers,
        policy_logits: pack("float32", [1, 1], new Float32Array(1)),
      },
    }],
  };
  const report = await unpackReport(earlier);
  expect(report).toMatchObject({ agents: [], hasLevels: true, failures: [], objectNames: [] });
  expect(report.layers).toEqual([{ name: "2b", kind: "attribution", counterpart: null, features: [], hasGrids: false }]);
  expect(report.trajectories[0]).toMatchObject({ agent: 0, counterpart: null, hasObjects: false, humanChunk: null });
});
