// The interface as a page, which finds its data beside itself.

import { mount } from "svelte";
import App from "./App.svelte";
import { httpClient, isLive } from "./live/client";
import { scriptSource } from "./sources/scripts";

export function showPage(): void {
  const surface = document.body;
  const client = isLive() ? httpClient : null;
  const surroundings = { source: scriptSource(), surface, keys: window, ownsPage: true, client };
  mount(App, { target: surface, props: { surroundings } });
}
