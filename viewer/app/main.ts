// The page of `tiepoint app`.
import { startCollection } from "./collection";
import { showComparison } from "./compare";
import { startFind } from "./find";
import { Pair } from "./pair";
import { showPair } from "./report";
import { Runner } from "./runner";
import type { Job } from "./server";
import { followSliders, readSettings } from "./settings";
import { startTabs } from "./tabs";

const PAIR_TABS = ["match", "geometry", "compare"]; // they share the two images
const find = (id: string) => document.getElementById(id)!;

function start(): void {
  const pair = new Pair(find("slots"));
  startPairTab(pair, "match", () => ({ kind: "match", ...readSettings("match-settings") }), showPair);
  startPairTab(
    pair, "geometry",
    () => ({ kind: "match", ...readSettings("geometry-settings") }),
    (target, path, result) => showPair(target, path, result, "", "swipe"),
  );
  startPairTab(
    pair, "compare",
    () => ({ kind: "compare", a: readSettings("compare-a-settings"), b: readSettings("compare-b-settings") }),
    showComparison,
  );
  startFind();
  startCollection();
  followSliders(document);
  startTabs((name) => (find("pair").hidden = !PAIR_TABS.includes(name)));
  document.documentElement.dataset.ready = "true";
}

type Show = (target: HTMLElement, path: string, result: Job["result"]) => Promise<void>;

/** A tab that runs a job with the two images, and shows its result. */
function startPairTab(pair: Pair, tab: string, values: () => Record<string, unknown>, show: Show): void {
  const runner = new Runner(tab, async () => {
    const target = find(`${tab}-result`);
    target.hidden = true;
    const job = await pair.submit(runner, values());
    if (job) await show(target, `jobs/${job.id}`, job.result);
  });
}

start();
