// Bundle the viewer and the page of `tiepoint app` into one script each of the Python package; `--tests` bundles the
// tests for `node --test` instead, `--output FOLDER` writes the scripts elsewhere.
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
  const script = { ...shared, format: "iife", target: "es2020", minify: true };
  const place = (folder, name) => `${at < 0 ? `../src/tiepoint/${folder}/static` : options[at + 1]}/${name}.js`;
  await build({ ...script, entryPoints: ["src/main.ts"], outfile: place("html", "viewer"), globalName: "TiepointViewer" });
  await build({ ...script, entryPoints: ["app/main.ts"], outfile: place("app", "app") });
}
