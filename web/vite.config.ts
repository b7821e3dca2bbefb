import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// One classic script and one stylesheet: a page opened from disk may not load modules.
// public/index.html is copied as it is and names them.
export default defineConfig({
  plugins: [svelte({ configFile: false })],
  build: {
    outDir: "../rlvision_jax/interface/assets",
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // the first with light-dark()
    lib: {
      entry: "src/main.ts",
      name: "rlvision",
      formats: ["iife"],
      fileName: () => "interface.js",
      cssFileName: "interface",
    },
  },
  test: { include: ["tests/**/*.test.ts"] },
});
