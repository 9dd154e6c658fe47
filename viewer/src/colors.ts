// Colors of matches: ramps with rising brightness, quantized, so that lines of one color are drawn together.
import type { Pair } from "./pair";

export type ColorBy = "inlier" | "score" | "displacement" | "error";
type RGB = readonly [number, number, number];

/** Number of colors of a ramp. */
export const LEVELS = 24;

const RAMPS: Record<"score" | "displacement" | "layer", RGB[]> = {
  score: [[190, 60, 190], [255, 135, 50], [255, 245, 130]],
  displacement: [[20, 130, 120], [70, 205, 110], [245, 250, 150]],
  layer: [[100, 85, 240], [85, 165, 255], [220, 240, 255]],
};
export const INLIER = "rgb(130,255,130)";
export const OUTLIER = "rgb(255,80,80)";
export const HIGHLIGHT = "rgb(255,255,255)";
export const EPIPOLAR = "rgb(80,220,255)";

/** Colors of matches: their palette, an index per match, and what the ends of the ramp mean. */
export interface Coloring {
  palette: string[];
  indices: Uint8Array;
  labels: [string, string];
}

export function colorMatches(pair: Pair, by: ColorBy): Coloring {
  if (by === "inlier" && pair.inliers) {
    return { palette: [OUTLIER, INLIER], indices: pair.inliers, labels: ["outlier", "inlier"] };
  }
  if (by === "error" && pair.errors) {
    const high = Math.max(quantile(pair.errors, 0.9), 1e-3);
    return ramped(pair.errors, 0, high, "score", true, "px");
  }
  if (by === "displacement") {
    const [low, high] = [0.02, 0.98].map((share) => quantile(pair.displacements, share));
    return ramped(pair.displacements, low, high, "displacement", false, "px");
  }
  const lowest = pair.scores.reduce((low, score) => Math.min(low, score), 0);
  return ramped(pair.scores, lowest, 1, "score", false, "");
}

/** Color of a keypoint that was pruned after `layer` of `layers`; keypoints that never were are lightest. */
export function layerColor(layer: number | null, layers: number): string {
  return rampColor("layer", layer === null ? 1 : layer / Math.max(layers, 1));
}

function ramped(
  values: Float32Array, low: number, high: number, ramp: keyof typeof RAMPS, reversed: boolean, unit: string,
): Coloring {
  const scale = (LEVELS - 1) / Math.max(high - low, 1e-9);
  const level = (value: number) => {
    const clamped = Math.min(Math.max(Math.round((value - low) * scale), 0), LEVELS - 1);
    return reversed ? LEVELS - 1 - clamped : clamped;
  };
  const palette = Array.from({ length: LEVELS }, (_, k) => rampColor(ramp, k / (LEVELS - 1)));
  const labels = [low, high].map((value) => [formatNumber(value), unit].join(" ").trim());
  const [first, last] = reversed ? labels.reverse() : labels;
  return { palette, indices: Uint8Array.from(values, level), labels: [first, last] };
}

function rampColor(name: keyof typeof RAMPS, position: number): string {
  const stops = RAMPS[name];
  const at = Math.min(Math.max(position, 0), 1) * (stops.length - 1);
  const below = Math.min(Math.floor(at), stops.length - 2);
  const mix = (channel: number) =>
    Math.round(stops[below][channel] + (at - below) * (stops[below + 1][channel] - stops[below][channel]));
  return `rgb(${mix(0)},${mix(1)},${mix(2)})`;
}

function quantile(values: Float32Array, share: number): number {
  const finite = values.filter(Number.isFinite).sort();
  return finite.length ? finite[Math.round(share * (finite.length - 1))] : 0;
}

export function formatNumber(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}
