// What the user can set.
import type { ColorBy } from "./colors";
import type { Pair } from "./pair";
import type { Mode } from "./view";

export interface State {
  mode: Mode;
  color: ColorBy;
  minScore: number;
  maxLines: number;
  inliersOnly: boolean;
  unmatched: boolean;
  epipolar: boolean;
  /** Position of the divider, from 0 to 1. */
  swipe: number;
  /** Whether a blink overlay shows image 0. */
  showsFirst: boolean;
  /** Whether a blink overlay alternates. */
  isBlinking: boolean;
}

const DEFAULT_LINES = 200;
const PHONE_WIDTH = 640; // px

export function initialState(pair: Pair, width: number): State {
  const { initial, images } = pair.data;
  const isWide = images.some((image) => image.width > 0.9 * image.height);
  return {
    mode: width < PHONE_WIDTH && isWide ? "stacked" : "side",
    color: pair.inliers && pair.errors ? "inlier" : "score",
    minScore: lowestScore(pair),
    maxLines: Math.min(initial?.max_lines ?? DEFAULT_LINES, pair.count),
    inliersOnly: false,
    unmatched: initial?.unmatched ?? false,
    epipolar: true,
    swipe: 0.5,
    showsFirst: true,
    isBlinking: !matchMedia("(prefers-reduced-motion: reduce)").matches,
  };
}

/** Lower end of the slider: 0, or the lowest score if it is negative. */
export function lowestScore(pair: Pair): number {
  return Math.floor(100 * pair.scores.reduce((low, score) => Math.min(low, score), 0)) / 100;
}
