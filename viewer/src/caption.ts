// Text about a pair: caption, hovered match, hovered keypoint.
import { formatNumber } from "./colors";
import type { PairData } from "./format";
import type { Pair } from "./pair";

/** Lines of the caption: what was matched, how, and what the estimates say. */
export function captionLines({ data, count, inliers }: Pair): string[] {
  const keypoints = data.keypoints.map((values) => number(values.length / 2)).join(" and ");
  const lines = [`${plural(count, "match", "matches")} of ${keypoints} keypoints`];
  if (data.layers_run) lines[0] += `, ${plural(data.layers_run, "layer", "layers")}`;
  if (data.estimate) lines.push(estimateText(data, inliers));
  if (data.verification) {
    const { probability, same_scene, reason } = data.verification;
    lines.push(`same scene: ${probability.toFixed(2)}${same_scene ? "" : ` (${reason})`}`);
  }
  return [...lines, ...(data.notes ?? [])];
}

function estimateText({ estimate }: PairData, inliers: Uint8Array | null): string {
  if (estimate!.reason) return `${estimate!.kind}: failed, ${estimate!.reason}`;
  const count = inliers!.reduce((sum, inlier) => sum + inlier, 0);
  return `${estimate!.kind}: ${plural(count, "inlier", "inliers")} within ${Number(estimate!.max_error_px.toFixed(2))} px`;
}

export function matchText(pair: Pair, k: number): [string, string][] {
  const [points0, points1] = pair.points;
  const rows: [string, string][] = [["score", pair.scores[k].toFixed(3)]];
  if (pair.errors) rows.push(["error", Number.isFinite(pair.errors[k]) ? `${formatNumber(pair.errors[k])} px` : "∞"]);
  if (pair.inliers) rows.push(["inlier", pair.inliers[k] ? "yes" : "no"]);
  rows.push(["displacement", `${formatNumber(pair.displacements[k])} px`]);
  rows.push(["image 0", position(points0[2 * k], points0[2 * k + 1])]);
  rows.push(["image 1", position(points1[2 * k], points1[2 * k + 1])]);
  return rows;
}

export function keypointText(pair: Pair, side: number, keypoint: number): [string, string][] {
  const keypoints = pair.data.keypoints[side];
  const layer = pair.prunedAfter(side, keypoint);
  const rows: [string, string][] = [[`image ${side}`, position(keypoints[2 * keypoint], keypoints[2 * keypoint + 1])]];
  rows.push(["match", "none"], ["pruned", layer === null ? "no" : `after layer ${layer}`]);
  return rows;
}

export function number(value: number): string {
  return value.toLocaleString("en-US");
}

export function plural(count: number, one: string, many: string): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

function position(x: number, y: number): string {
  return `(${x.toFixed(1)}, ${y.toFixed(1)})`;
}
