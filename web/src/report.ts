// The result on the page: decision, viewer, time per stage, download.
import { element } from "../../viewer/src/dom";
import type { Handle } from "../../viewer/src/main";
import type { PairData } from "../../viewer/src/format";
import type { Picture } from "./inputs";
import type { PairResult } from "./matcher";
import { fileContents, viewerData } from "./result";
import type { Loaded } from "./worker";

declare global {
  interface Window {
    TiepointViewer: { mount(target: HTMLElement, data: PairData, options?: object): Promise<Handle> };
    /** The viewer, for tests. */
    viewer?: Handle;
  }
}

const STAGES: Record<string, string> = {
  load: "load the models", read: "read and resize", extract: "extract", match: "match", verify: "verify",
};

/** Name of a stage in a sentence. */
export function stageName(stage: string): string {
  return STAGES[stage] ?? stage;
}

/** The section of the page with the result. */
export class Report {
  private result: PairResult | null = null;

  constructor(private readonly find: (id: string) => HTMLElement) {
    this.find("download").onclick = () => this.download();
  }

  hide(): void {
    this.find("result").hidden = true;
    this.result = null;
  }

  async show(result: PairResult, loaded: Loaded, pictures: readonly [Picture, Picture]): Promise<void> {
    this.result = result;
    this.find("result").hidden = false;
    this.find("decision").textContent = decisionOf(result);
    this.find("times").replaceChildren(...timeRows({ load: loaded.seconds, ...result.seconds }));
    this.find("runtime").textContent = runtimeText(loaded);
    const data = viewerData(result, [pictures[0].shown, pictures[1].shown]);
    window.viewer = await window.TiepointViewer.mount(this.find("viewer"), data);
  }

  private download(): void {
    if (!this.result) return;
    const text = JSON.stringify(fileContents(this.result));
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    element("a", { href: url, download: "matches.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}

function decisionOf({ verification }: PairResult): string {
  return `${verification.same_scene ? "Same scene" : "Probably not the same scene"}: ${verification.reason}`;
}

function timeRows(seconds: Record<string, number>): HTMLElement[] {
  const rows = Object.entries(seconds).filter(([, value]) => value > 0);
  return rows.map(([stage, value]) =>
    element("tr", {}, element("th", { scope: "row" }, stageName(stage)), element("td", {}, `${(1000 * value).toFixed(0)} ms`)),
  );
}

function runtimeText({ backend, threads, fallback }: Loaded): string {
  if (backend === "webgpu") return "Run with WebGPU on the graphics card.";
  const reason = fallback ? ` WebGPU is not used: ${fallback}.` : "";
  if (threads > 1) return `Run with WASM and SIMD on ${threads} threads.${reason}`;
  const isolation = crossOriginIsolated ? "this machine offers only one" : "this page is not isolated from other sites";
  return `Run with WASM and SIMD on one thread: ${isolation}.${reason}`;
}
