// Sources and licenses of everything in the folder of the page.
import { element } from "../../viewer/src/dom";
import type { ModelIndex } from "./models";

const PACKAGES: readonly (readonly [name: string, license: string, source: string])[] = [
  ["tiepoint, with its viewer", "Apache-2.0", ""],
  ["onnxruntime-web", "MIT", "https://github.com/microsoft/onnxruntime"],
];

/** Return the list of sources and licenses. */
export function licenseList(index: ModelIndex | null): HTMLElement {
  const rows = PACKAGES.map((row) => element("li", {}, ...entry(...row)));
  const weights = new Map(index?.bundles.flatMap((bundle) => bundle.weights.map((row) => [row.name, row])));
  for (const { name, license, source } of weights.values()) rows.push(element("li", {}, ...entry(`Weights ${name}`, license, source)));
  if (index?.sample) rows.push(element("li", {}, ...entry("Sample pair", index.sample.about, index.sample.source)));
  return element(
    "div", {},
    element("h2", {}, "Sources and licenses"),
    element("ul", {}, ...rows),
    element("p", {}, "This page requests nothing from other sites, sets no cookies, and counts no visits."),
  );
}

/** Sources are text where they are not links to a page. */
function entry(name: string, license: string, source: string): (Node | string)[] {
  const origin = source.startsWith("https:") ? element("a", { href: source, rel: "noreferrer" }, source) : source;
  return source ? [`${name}: ${license}; `, origin] : [`${name}: ${license}`];
}
