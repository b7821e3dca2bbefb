// The interface as a page, which finds its data beside itself.

import { mount } from "svelte";
import App from "./App.svelte";
import { scriptSource } from "./sources/scripts";

export function showPage(): void {
  const surface = document.body;
  const surroundings = { source: scriptSource(), surface, keys: window, ownsPage: true };
  mount(App, { target: surface, props: { surroundings } });
}
