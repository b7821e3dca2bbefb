// Asks the server. Only a page that `rlvision view` serves has one: no other asks anything.

import type { About, Frame, Moment, MomentRequest, PlayRequest } from "./protocol";
import { unpackMoment, unpackPlay } from "./protocol";

/** What the server answers; the tests have one without a network. */
export interface Client {
  about(): Promise<About>;
  moment(request: MomentRequest): Promise<Moment>;
  play(request: PlayRequest): Promise<Frame[]>;
}

/** An answer that is none; the message is a sentence for the reader. */
export class LiveError extends Error {
  /** Whether the server understood and would not; else it may be asked again. */
  readonly isRefusal: boolean;

  constructor(message: string, { isRefusal = false, ...options }: ErrorOptions & { isRefusal?: boolean } = {}) {
    super(message, options);
    this.isRefusal = isRefusal;
  }
}

/** Whether `rlvision view` serves this page: it marks the page's head. */
export const isLive = (): boolean => document.querySelector('meta[name="rlvision-live"]') !== null;

const GONE = "The server does not answer: start `rlvision view` again and open the address that it prints.";

async function ask<T>(path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(
      path,
      body === undefined
        ? {}
        : {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(body),
          },
    );
  } catch (error) {
    throw new LiveError(GONE, { cause: error });
  }
  const content = (await response.json().catch(() => null)) as { error?: string } | null;
  if (response.ok && content !== null) return content as T;
  // Which of the events it was goes without saying: it is not kept.
  const sentence = content?.error?.replace(/^event \d+: /, "");
  throw new LiveError(sentence ?? `The server answered with status ${response.status}.`, {
    isRefusal: response.status >= 400 && response.status < 500,
  });
}

export const httpClient: Client = {
  about: () => ask("live/about"),
  moment: async (request) => unpackMoment(await ask("live/moment", request)),
  play: async (request) => unpackPlay(await ask("live/play", request)),
};
