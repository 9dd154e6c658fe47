// The result of a pair: decision, viewer, geometry, time per stage, downloads.
import { element } from "../src/dom";
import type { PairData } from "../src/format";
import type { Handle } from "../src/main";
import { call } from "./server";

declare global {
  interface Window {
    TiepointViewer: { mount(target: HTMLElement, data: PairData, options?: object): Promise<Handle> };
    /** The viewer that was shown last, for tests. */
    viewer?: Handle;
  }
}

export interface Estimate {
  kind: string;
  success: boolean;
  reason: string;
  num_inliers: number;
  max_error_px: number;
  median_error_px: number | null;
  matrix: number[][] | null;
  pose: {
    rotation_deg: number;
    translation: number[];
    focal_lengths_px: number[];
    focal_sources: string[];
  } | null;
}

export interface PairResult {
  preset: string;
  matches: number;
  keypoints: [number, number];
  layers_run: number;
  same_scene: boolean;
  probability: number;
  reason: string;
  num_inliers: number;
  seconds: Record<string, number>;
  notes: string[];
  estimate: Estimate | null;
}

const FORMATS = ["png", "json", "npz", "html"];

/** Show the result of a pair in an element; `part` names one of several pairs of a job. */
export async function showPair(target: HTMLElement, path: string, result: PairResult, part = "", mode = ""): Promise<void> {
  const host = element("div", {});
  const query = part ? `?part=${part}` : "";
  target.hidden = false;
  target.replaceChildren(
    element("h2", {}, decision(result)),
    element("p", { class: "muted" }, summary(result)),
    ...result.notes.map((note) => element("p", { class: "muted" }, note)),
    ...(result.estimate ? [geometry(result.estimate)] : []),
    host,
    element("div", { class: "details" }, times(result.seconds), downloads(path, query)),
  );
  const viewer = await window.TiepointViewer.mount(host, await call<PairData>(`${path}/viewer${query}`), { title: false });
  if (mode) viewer.set({ mode: mode as "swipe" });
  window.viewer = viewer;
}

function decision({ same_scene, reason }: PairResult): string {
  return `${same_scene ? "Same scene" : "Probably not the same scene"}: ${reason}`;
}

function summary({ preset, probability }: PairResult): string {
  return `Probability of the same scene ${probability.toFixed(2)}; ${preset}`;
}

function geometry(estimate: Estimate): HTMLElement {
  if (!estimate.success) return element("p", {}, `${estimate.kind}: not estimated, ${estimate.reason}`);
  const error = estimate.median_error_px === null ? "" : `, median error ${estimate.median_error_px.toFixed(2)} px`;
  const lines = [`${estimate.kind}: ${estimate.num_inliers} inliers within ${estimate.max_error_px} px${error}`];
  if (estimate.pose) lines.push(...poseLines(estimate.pose));
  const block = element("div", { class: "geometry" }, ...lines.map((line) => element("p", {}, line)));
  if (estimate.matrix) block.append(matrix(estimate.kind, estimate.matrix));
  return block;
}

function poseLines(pose: NonNullable<Estimate["pose"]>): string[] {
  const focal = pose.focal_lengths_px.map((value, k) => `${value} px (${pose.focal_sources[k]})`).join(" and ");
  const translation = pose.translation.map((value) => value.toFixed(3)).join(", ");
  return [
    `rotation ${pose.rotation_deg.toFixed(2)} degrees, translation (${translation}) of unit length`,
    `focal lengths ${focal}`,
  ];
}

function matrix(kind: string, rows: number[][]): HTMLElement {
  const text = rows.map((row) => row.map((value) => value.toPrecision(6).padStart(14)).join("")).join("\n");
  const name = { homography: "Homography, image 0 to image 1", fundamental: "Fundamental matrix" }[kind] ?? "Matrix";
  const pre = element("pre", { tabindex: 0, class: "scroll", "aria-label": name }, text);
  return element("details", { open: true }, element("summary", {}, name), pre);
}

/** Table of the seconds of the stages. */
export function times(seconds: Record<string, number>): HTMLElement {
  const rows = Object.entries(seconds).map(([stage, value]) =>
    element("tr", {}, element("th", { scope: "row" }, stage.replace(/_/g, " ")), element("td", {}, `${(1000 * value).toFixed(0)} ms`)),
  );
  return element("table", { class: "times" }, element("caption", {}, "Time per stage"), element("tbody", {}, ...rows));
}

function downloads(path: string, query: string): HTMLElement {
  const links = FORMATS.map((format) =>
    element("a", { href: `${path}/matches.${format}${query}`, download: `matches.${format}` }, format.toUpperCase()),
  );
  return element("div", {}, element("p", {}, "Download"), element("div", { class: "downloads" }, ...links));
}
