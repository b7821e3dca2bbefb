// The files beside a page, loaded as classic scripts: a page opened from disk may not fetch. Each
// script calls rlvisionReceive(path, content).

import { DataFileError, type Source } from "../data/load";

declare global {
  interface Window {
    rlvisionReceive(path: string, content: unknown): void;
  }
}

export function scriptSource(): Source {
  const received = new Map<string, unknown>();
  window.rlvisionReceive = (path, content) => void received.set(path, content);
  return {
    read: (path) =>
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = path;
        script.onload = () => {
          script.remove();
          resolve(received.get(path));
          received.delete(path);
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
      }),
  };
}
