// Build the page into dist/, next to the models that `make web` exports there; names without hashes replace old files.
import { cpSync, mkdirSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const RUNTIME = "node_modules/onnxruntime-web/dist";
const RUNTIME_FILES = [
  "ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm",
  "ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm",
];

/** Copies ONNX Runtime Web and the viewer as they are. */
function copyFiles(): Plugin {
  return {
    name: "copy-files",
    writeBundle({ dir }) {
      mkdirSync(`${dir}/ort`, { recursive: true });
      for (const file of RUNTIME_FILES) cpSync(`${RUNTIME}/${file}`, `${dir}/ort/${file}`);
      cpSync("../src/tiepoint/html/static/viewer.js", `${dir}/viewer.js`);
    },
  };
}

export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    emptyOutDir: false,
    modulePreload: { polyfill: false },
    rollupOptions: { output: { entryFileNames: "assets/[name].js", chunkFileNames: "assets/[name].js", assetFileNames: "assets/[name][extname]" } },
  },
  worker: { format: "es", rollupOptions: { output: { entryFileNames: "assets/[name].js" } } },
  plugins: [copyFiles()],
});
