// Bundle the unit tests for `node --test`.
import { defineConfig } from "vite";

export default defineConfig({
  build: {
    ssr: true,
    outDir: "build",
    minify: false,
    rollupOptions: {
      input: Object.fromEntries(["exif", "inputs", "lightglue", "ransac", "resize", "result", "verification"].map((name) => [name, `test/${name}.test.ts`])),
      output: { entryFileNames: "[name].test.mjs" },
    },
  },
});
