// What the pointer or the keyboard is at: the nearest match or keypoint, or a position.
import type { Pair } from "./pair";
import type { View } from "./view";

export type Target =
  | { kind: "match"; side: number; index: number }
  | { kind: "keypoint"; side: number; index: number }
  | { kind: "position"; side: number; x: number; y: number };

/** What can be found: matches by index with their positions on the screen, and unmatched keypoints if they are shown. */
export interface Candidates {
  shown: number[];
  screen: [Float32Array, Float32Array];
  unmatched: boolean;
}

/** Return the nearest match, else the nearest unmatched keypoint, within a radius in px; else the position itself. */
export function findTarget(pair: Pair, view: View, { shown, screen, unmatched }: Candidates, x: number, y: number, radius: number): Target {
  const side = view.sideAt(x, y);
  const nearest = { distance: radius, target: null as Target | null };
  const consider = (kind: "match" | "keypoint", index: number, px: number, py: number) => {
    const distance = Math.hypot(px - x, py - y);
    if (distance < nearest.distance) Object.assign(nearest, { distance, target: { kind, side, index } });
  };
  for (const k of shown) consider("match", k, screen[side][2 * k], screen[side][2 * k + 1]);
  if (!nearest.target && unmatched && !view.isOverlay) {
    const keypoints = pair.data.keypoints[side];
    for (const k of pair.unmatched[side]) consider("keypoint", k, ...view.toScreen(side, keypoints[2 * k], keypoints[2 * k + 1]));
  }
  const [imageX, imageY] = view.toImage(side, x, y);
  return nearest.target ?? { kind: "position", side, x: imageX, y: imageY };
}
