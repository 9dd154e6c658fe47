// The tab Compare: one pair with two sets of options, side by side.
import { element } from "../src/dom";
import { showPair, type PairResult } from "./report";

const ROWS: [string, (result: PairResult) => string][] = [
  ["preset", ({ preset }) => preset],
  ["same scene", ({ probability }) => probability.toFixed(2)],
  ["keypoints", ({ keypoints }) => keypoints.map((n) => n.toLocaleString("en")).join(" and ")],
  ["matches", ({ matches }) => matches.toLocaleString("en")],
  ["inliers", ({ num_inliers }) => num_inliers.toLocaleString("en")],
  ["layers", ({ layers_run }) => String(layers_run)],
];

/** Show both results, and a table of their numbers. */
export async function showComparison(target: HTMLElement, path: string, results: Record<"a" | "b", PairResult>): Promise<void> {
  const { a, b } = results;
  const columns = [element("div", {}), element("div", {})];
  target.hidden = false;
  target.replaceChildren(element("h2", {}, "Comparison"), table(a, b), element("div", { class: "columns" }, ...columns));
  await showPair(columns[0], path, a, "a");
  await showPair(columns[1], path, b, "b");
}

function table(a: PairResult, b: PairResult): HTMLElement {
  const stages = Object.keys(a.seconds).map((stage): [string, (result: PairResult) => string] => [
    `${stage.replace(/_/g, " ")}, ms`, ({ seconds }) => (1000 * (seconds[stage] ?? 0)).toFixed(0),
  ]);
  const head = ["", "A", "B"].map((text) => element(text ? "th" : "td", text ? { scope: "col" } : {}, text));
  const rows = [...ROWS, ...stages].map(([name, read]) =>
    element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, read(a)), element("td", {}, read(b))),
  );
  const body = element("table", { class: "comparison" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Comparison" }, body);
}
