// A WebM file of encoded frames (https://www.matroska.org/technical/elements.html): one video track,
// a cluster from each key frame to the next, and cues, so that players seek.

export interface EncodedFrame {
  data: Uint8Array;
  /** Milliseconds from the beginning, whole. */
  time: number;
  isKey: boolean;
}

export interface Track {
  codec: "V_VP8" | "V_VP9";
  width: number;
  height: number;
  /** Milliseconds. */
  duration: number;
}

/** A block says its time in the cluster as 16 bits with sign. */
export const LONGEST_CLUSTER = 32767; // milliseconds

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Big-endian, in as many bytes as asked for: places in a file must not change its length. */
function unsigned(value: number, length = 4): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Math.floor(value / 256 ** (length - 1 - i)) % 256);
}

function float(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return new Uint8Array(view.buffer);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** An element: its identifier, its length in eight bytes, its content. */
function element(id: number, ...content: Uint8Array[]): Uint8Array {
  const name = unsigned(id, id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1);
  const body = join(content);
  return join([name, bytes(0x01), unsigned(body.length, 7), body]);
}

function cluster(frames: readonly EncodedFrame[]): Uint8Array {
  const start = frames[0]!.time;
  const blocks = frames.map(({ data, time, isKey }) => {
    if (time - start > LONGEST_CLUSTER) throw new Error("Too long without a key frame.");
    // SimpleBlock of track 1.
    return element(0xa3, bytes(0x81), unsigned(time - start, 2), bytes(isKey ? 0x80 : 0), data);
  });
  return element(0x1f43b675, element(0xe7, unsigned(start)), ...blocks);
}

/** Frames in their order, the first a key frame. */
export function toWebm(track: Track, frames: readonly EncodedFrame[]): Uint8Array {
  const groups: EncodedFrame[][] = [];
  for (const frame of frames) {
    if (frame.isKey) groups.push([]);
    if (groups.length === 0) throw new Error("A video begins with a key frame.");
    groups[groups.length - 1]!.push(frame);
  }
  const clusters = groups.map(cluster);

  const header = element(
    0x1a45dfa3, // EBML
    element(0x4286, bytes(1)), // EBMLVersion
    element(0x42f7, bytes(1)), // EBMLReadVersion
    element(0x42f2, bytes(4)), // EBMLMaxIDLength
    element(0x42f3, bytes(8)), // EBMLMaxSizeLength
    element(0x4282, ascii("webm")), // DocType
    element(0x4287, bytes(4)), // DocTypeVersion
    element(0x4285, bytes(2)), // DocTypeReadVersion
  );
  const info = element(
    0x1549a966, // Info
    element(0x2ad7b1, unsigned(1_000_000)), // TimestampScale: a millisecond in nanoseconds
    element(0x4489, float(track.duration)), // Duration
    element(0x4d80, ascii("rlvision_jax")), // MuxingApp
    element(0x5741, ascii("rlvision_jax")), // WritingApp
  );
  const tracks = element(
    0x1654ae6b, // Tracks
    element(
      0xae, // TrackEntry
      element(0xd7, bytes(1)), // TrackNumber
      element(0x73c5, bytes(1)), // TrackUID
      element(0x83, bytes(1)), // TrackType: video
      element(0x9c, bytes(0)), // FlagLacing
      element(0x86, ascii(track.codec)), // CodecID
      element(
        0xe0, // Video
        element(0xb0, unsigned(track.width)),
        element(0xba, unsigned(track.height)),
      ),
    ),
  );
  /** Where the clusters are, from the beginning of the segment's content. */
  function cues(first: number): Uint8Array {
    let place = first;
    const points = groups.map((group, index) => {
      const position = element(0xb7, element(0xf7, bytes(1)), element(0xf1, unsigned(place, 7)));
      place += clusters[index]!.length;
      return element(0xbb, element(0xb3, unsigned(group[0]!.time)), position);
    });
    return element(0x1c53bb6b, ...points);
  }
  const before = info.length + tracks.length;
  const first = before + cues(0).length;
  return join([header, element(0x18538067, info, tracks, cues(first), ...clusters)]);
}
