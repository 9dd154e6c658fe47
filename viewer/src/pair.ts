// A pair with its matches as typed arrays, in the order in which the viewer draws them.
import type { PairData } from "./format";

const CELLS = 12; // per side of the bounding box of the matches

export class Pair {
  readonly count: number;
  /** Points of both images: x, y, x, y, … in px, one pair of numbers per match. */
  readonly points: [Float32Array, Float32Array];
  readonly scores: Float32Array;
  readonly displacements: Float32Array;
  /** Errors in px; Infinity if undefined. */
  readonly errors: Float32Array | null;
  /** Whether each match is an inlier; null without an estimate, or if it failed. */
  readonly inliers: Uint8Array | null;
  /** Matches spread over image 0: the highest scores of all cells come first. */
  readonly order: Uint32Array;
  /** Indices of keypoints without a match. */
  readonly unmatched: [number[], number[]];

  constructor(readonly data: PairData) {
    const { keypoints, matches, estimate } = data;
    this.count = data.scores.length;
    this.scores = Float32Array.from(data.scores);
    this.points = [0, 1].map((side) => matchedPoints(keypoints[side], matches, side)) as [
      Float32Array,
      Float32Array,
    ];
    this.displacements = displacements(this.points);
    const ok = estimate && !estimate.reason;
    this.errors = ok ? Float32Array.from(estimate.errors, (error) => error ?? Infinity) : null;
    this.inliers = ok ? Uint8Array.from(estimate.inliers) : null;
    this.order = spreadOut(this.points[0], this.scores);
    this.unmatched = [0, 1].map((side) => unmatched(keypoints[side].length / 2, matches, side)) as [
      number[],
      number[],
    ];
  }

  /** Number of layers after which a keypoint was pruned; null if it never was. */
  prunedAfter(side: number, keypoint: number): number | null {
    const layers = this.data.prune?.[side]?.[keypoint];
    return layers === undefined || layers >= (this.data.layers_run ?? 0) ? null : layers;
  }

  /** Matches that pass the filters, in drawing order. */
  select(minScore: number, inliersOnly: boolean): number[] {
    const chosen: number[] = [];
    for (const k of this.order) {
      if (this.scores[k] >= minScore && !(inliersOnly && this.inliers && !this.inliers[k])) chosen.push(k);
    }
    return chosen;
  }
}

function matchedPoints(keypoints: number[], matches: number[], side: number): Float32Array {
  const points = new Float32Array(matches.length);
  for (let k = 0; k < matches.length / 2; k++) {
    const keypoint = matches[2 * k + side];
    points[2 * k] = keypoints[2 * keypoint];
    points[2 * k + 1] = keypoints[2 * keypoint + 1];
  }
  return points;
}

function unmatched(count: number, matches: number[], side: number): number[] {
  const isMatched = new Uint8Array(count);
  for (let k = side; k < matches.length; k += 2) isMatched[matches[k]] = 1;
  return Array.from(isMatched.keys()).filter((keypoint) => !isMatched[keypoint]);
}

function displacements([points0, points1]: [Float32Array, Float32Array]): Float32Array {
  const lengths = new Float32Array(points0.length / 2);
  for (let k = 0; k < lengths.length; k++) {
    lengths[k] = Math.hypot(points1[2 * k] - points0[2 * k], points1[2 * k + 1] - points0[2 * k + 1]);
  }
  return lengths;
}

function spreadOut(points: Float32Array, scores: Float32Array): Uint32Array {
  const byScore = Uint32Array.from(scores.keys()).sort((i, j) => scores[j] - scores[i] || i - j);
  const [left, top, right, bottom] = bounds(points);
  const side = Math.max((right - left) / CELLS, (bottom - top) / CELLS, 1e-6);
  const seen = new Map<number, number>();
  const ranks = new Uint32Array(scores.length);
  for (const k of byScore) {
    const column = Math.floor((points[2 * k] - left) / side);
    const cell = Math.floor((points[2 * k + 1] - top) / side) * (CELLS + 1) + column;
    ranks[k] = seen.get(cell) ?? 0;
    seen.set(cell, ranks[k] + 1);
  }
  return byScore.sort((i, j) => ranks[i] - ranks[j] || scores[j] - scores[i] || i - j);
}

function bounds(points: Float32Array): [number, number, number, number] {
  const box: [number, number, number, number] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let k = 0; k < points.length; k += 2) {
    box[0] = Math.min(box[0], points[k]);
    box[1] = Math.min(box[1], points[k + 1]);
    box[2] = Math.max(box[2], points[k]);
    box[3] = Math.max(box[3], points[k + 1]);
  }
  return box;
}
