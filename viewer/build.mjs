// Bundle the viewer into one script of the Python package; `--tests` bundles the tests for `node --test` instead,
// `--output FILE` writes the script elsewhere.
import { build } from "esbuild";

const options = process.argv.slice(2);
const shared = { bundle: true, charset: "ascii", legalComments: "none", loader: { ".css": "text" } };

if (options.includes("--tests")) {
  await build({
    ...shared,
    entryPoints: ["test/geometry.test.ts", "test/pair.test.ts", "test/view.test.ts"],
    outdir: "build",
    outExtension: { ".js": ".test.mjs" },
    platform: "node",
    format: "esm",
  });
} else {
  const at = options.indexOf("--output");
  await build({
    ...shared,
    entryPoints: ["src/main.ts"],
    outfile: at < 0 ? "../src/tiepoint/html/static/viewer.js" : options[at + 1],
    globalName: "TiepointViewer",
    format: "iife",
    target: "es2020",
    minify: true,
  });
}
