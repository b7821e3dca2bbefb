// The interface as a widget of a notebook (https://anywidget.dev). A shadow root keeps the styles of
// the notebook and of the interface apart.

import { mount, unmount } from "svelte";
import App from "./App.svelte";
import { messageSource, type Model } from "./sources/messages";
import { followTheme } from "./theme";

/** A module for anywidget.
 * @param css - the bundle's style sheet. */
export function widget(css: string) {
  return {
    render({ model, el }: { model: Model; el: HTMLElement }): () => void {
      const host = document.createElement("div");
      // Keys pressed in here are not the notebook's; JupyterLab hears them first, and reads this.
      host.dataset.lmSuppressShortcuts = "true";
      host.addEventListener("keydown", (event) => event.stopPropagation());
      const root = host.attachShadow({ mode: "open" });
      const style = document.createElement("style");
      style.textContent = css;
      const surface = document.createElement("div");
      surface.className = "surface";
      // A click anywhere brings the keys here.
      surface.tabIndex = -1;
      root.append(style, surface);
      el.append(host);
      const unfollow = followTheme(host);

      const resize = () => {
        const height = model.get("height");
        host.style.height = typeof height === "number" ? `${height}px` : "auto";
      };
      resize();
      model.on("change:height", resize);
      const source = messageSource(model);
      const surroundings = { source, surface, keys: surface, ownsPage: false, client: null };
      const app = mount(App, { target: surface, props: { surroundings } });
      return () => {
        model.off("change:height", resize);
        unfollow();
        source.close();
        void unmount(app);
        host.remove();
      };
    },
  };
}
