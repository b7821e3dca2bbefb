// Frames to a video file by the browser's own encoder (WebCodecs). Each frame has its exact time, and
// encoding takes as long as it takes, not as long as the video plays.

import { toWebm, type EncodedFrame, type Track } from "./webm";

/** Best first: what browsers call it, and what the file does. */
const CODECS = [
  { name: "vp09.00.50.08", id: "V_VP9" },
  { name: "vp8", id: "V_VP8" },
] as const satisfies { name: string; id: Track["codec"] }[];

const KEY_INTERVAL = 32; // frames
const BITS_PER_PIXEL = 0.2; // sharp edges of enlarged pixels need much
const MOST_WAITING = 4; // frames in the encoder

/** Raised when the reader ends it. */
export class Cancelled extends Error {}

async function chooseCodec(width: number, height: number, framesPerSecond: number) {
  if (typeof VideoEncoder === "undefined") {
    throw new Error("This browser cannot encode video (it has no WebCodecs): use a newer one.");
  }
  const bitrate = Math.max(1e6, Math.round(BITS_PER_PIXEL * width * height * framesPerSecond));
  for (const { name, id } of CODECS) {
    const config: VideoEncoderConfig = {
      codec: name, width, height, bitrate, framerate: framesPerSecond,
    };
    const { supported } = await VideoEncoder.isConfigSupported(config);
    if (supported) return { config, id };
  }
  throw new Error(
    `This browser cannot encode a video of ${width} x ${height} pixels: remove rows, or use another browser.`,
  );
}

/**
 * @param numFrames - at least 1.
 * @param drawFrame - gives the picture of a frame; all of one size, of even width and height.
 * @param signal - ends it: the result is rejected with Cancelled.
 */
export async function encodeVideo(
  numFrames: number,
  framesPerSecond: number,
  drawFrame: (frame: number) => Promise<HTMLCanvasElement>,
  signal: AbortSignal,
): Promise<Blob> {
  const timeOf = (frame: number): number => Math.round((frame * 1000) / framesPerSecond);
  const first = await drawFrame(0);
  const { config, id } = await chooseCodec(first.width, first.height, framesPerSecond);
  const frames: EncodedFrame[] = [];
  let failure: Error | null = null;
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const data = new Uint8Array(chunk.byteLength);
      chunk.copyTo(data);
      frames.push({ data, time: Math.round(chunk.timestamp / 1000), isKey: chunk.type === "key" });
    },
    error: (error) => (failure = error),
  });
  try {
    encoder.configure(config);
    for (let index = 0; index < numFrames; index++) {
      const picture = index === 0 ? first : await drawFrame(index);
      while (encoder.encodeQueueSize > MOST_WAITING && !failure) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      if (signal.aborted) throw new Cancelled();
      if (failure) throw failure;
      const frame = new VideoFrame(picture, { timestamp: timeOf(index) * 1000, alpha: "discard" });
      encoder.encode(frame, { keyFrame: index % KEY_INTERVAL === 0 });
      frame.close();
    }
    await encoder.flush();
  } finally {
    if (encoder.state !== "closed") encoder.close();
  }
  const track: Track = {
    codec: id, width: first.width, height: first.height, duration: timeOf(numFrames),
  };
  return new Blob([toWebm(track, frames) as BlobPart], { type: "video/webm" });
}
