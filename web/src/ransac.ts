// Homographies and fundamental matrices by RANSAC with local optimization, deterministic.
//
// Sources: Fischler and Bolles, 1981; Chum et al., "Locally Optimized RANSAC", 2003; Hartley and Zisserman, algorithms
// 4.2 (normalized DLT) and 11.1 (normalized eight-point).
import { multiply } from "../../viewer/src/geometry";
import { nullVector, product, smallestEigenvector, unit, type Matrix } from "./linear";

export type Kind = "homography" | "fundamental";

/** Corresponding points x, y, x, y, … of both images in px. */
export interface Correspondences {
  points0: Float64Array;
  points1: Float64Array;
}

/** A model with its inliers. */
export interface Model {
  kind: Kind;
  /** Nine numbers by rows: p1 ~ H p0, or p1^T F p0 = 0. */
  matrix: Matrix;
  /** Error of each match in px: transfer error in image 1, or Sampson distance; may be infinite. */
  errors: Float64Array;
  numInliers: number;
}

const SAMPLE_SIZE: Record<Kind, number> = { homography: 4, fundamental: 8 };
const MAX_ITERATIONS = 3000;
const CONFIDENCE = 0.9999;
const MAX_REFITS = 5;

/**
 * Estimate the model with the largest support.
 *
 * @param kind Type of model.
 * @param matches Corresponding points.
 * @param maxErrorPx Inlier threshold.
 * @returns The model; null if there are too few matches, or all of them are degenerate.
 */
export function estimate(kind: Kind, matches: Correspondences, maxErrorPx: number): Model | null {
  const count = matches.points0.length / 2;
  const solver = new Solver(kind, matches);
  const random = generator(1);
  let best: Model | null = null;
  let needed = count < SAMPLE_SIZE[kind] ? 0 : MAX_ITERATIONS;
  for (let iteration = 0; iteration < needed; iteration++) {
    const model = evaluate(solver.fit(sample(count, SAMPLE_SIZE[kind], random)), kind, matches, maxErrorPx);
    if (!model || (best && model.numInliers <= best.numInliers)) continue;
    best = refine(model, solver, matches, maxErrorPx);
    const allInliers = (best.numInliers / count) ** SAMPLE_SIZE[kind];
    needed = Math.min(MAX_ITERATIONS, Math.ceil(Math.log(1 - CONFIDENCE) / Math.log1p(-Math.min(allInliers, 1 - 1e-9))));
  }
  return best;
}

/** Refit the model to its inliers while their number increases. */
function refine(model: Model, solver: Solver, matches: Correspondences, maxErrorPx: number): Model {
  for (let step = 0; step < MAX_REFITS; step++) {
    const inliers = [...model.errors.keys()].filter((k) => model.errors[k] <= maxErrorPx);
    const refitted = evaluate(solver.fit(inliers), model.kind, matches, maxErrorPx);
    if (!refitted || refitted.numInliers < model.numInliers) break;
    const isLast = refitted.numInliers === model.numInliers;
    model = refitted;
    if (isLast) break;
  }
  return model;
}

function evaluate(matrix: Matrix | null, kind: Kind, matches: Correspondences, maxErrorPx: number): Model | null {
  if (!matrix) return null;
  const errors = errorsOf(kind, matrix, matches);
  return { kind, matrix, errors, numInliers: errors.reduce((sum, error) => sum + Number(error <= maxErrorPx), 0) };
}

/** Error of each match in px: transfer error of a homography in image 1, Sampson distance of a fundamental matrix. */
export function errorsOf(kind: Kind, matrix: Matrix, { points0, points1 }: Correspondences): Float64Array {
  const errors = new Float64Array(points0.length / 2);
  for (let k = 0; k < errors.length; k++) {
    const [x0, y0, x1, y1] = [points0[2 * k], points0[2 * k + 1], points1[2 * k], points1[2 * k + 1]];
    const [a, b, c] = multiply(matrix, x0, y0);
    if (kind === "homography") {
      errors[k] = c === 0 ? Infinity : Math.hypot(a / c - x1, b / c - y1);
      continue;
    }
    const d = matrix[0] * x1 + matrix[3] * y1 + matrix[6];
    const e = matrix[1] * x1 + matrix[4] * y1 + matrix[7];
    const gradient = Math.hypot(a, b, d, e);
    errors[k] = gradient > 0 ? Math.abs(a * x1 + b * y1 + c) / gradient : Infinity;
  }
  return errors;
}

/** Fits models to selected matches, in normalized coordinates. */
class Solver {
  private readonly scaling0: Scaling;
  private readonly scaling1: Scaling;

  constructor(
    private readonly kind: Kind,
    private readonly matches: Correspondences,
  ) {
    this.scaling0 = scalingOf(matches.points0);
    this.scaling1 = scalingOf(matches.points1);
  }

  /** Return the model of these matches, in px; null if they are degenerate. */
  fit(indices: readonly number[]): Matrix | null {
    const rows = indices.flatMap((index) => this.equations(index));
    if (rows.length < 8) return null;
    const solution = rows.length === 8 ? nullVector(rows) : smallestEigenvector(gram(rows));
    if (!solution || !solution.every(Number.isFinite)) return null;
    return this.kind === "homography" ? this.homography(solution) : this.fundamental(solution);
  }

  private equations(index: number): number[][] {
    const [x, y] = this.scaling0.apply(this.matches.points0, index);
    const [u, v] = this.scaling1.apply(this.matches.points1, index);
    if (this.kind === "fundamental") return [[u * x, u * y, u, v * x, v * y, v, x, y, 1]];
    return [
      [x, y, 1, 0, 0, 0, -u * x, -u * y, -u],
      [0, 0, 0, x, y, 1, -v * x, -v * y, -v],
    ];
  }

  private homography(normalized: Matrix): Matrix {
    return unit(product(product(this.scaling1.inverse, normalized), this.scaling0.matrix));
  }

  /** Subtract the component along the right singular vector of the smallest singular value: rank 2. */
  private fundamental(normalized: Matrix): Matrix {
    const rows = [0, 3, 6].map((k) => normalized.slice(k, k + 3));
    const epipole = smallestEigenvector(gram(rows));
    const rank2 = rows.flatMap((row) => {
      const along = row.reduce((sum, value, k) => sum + value * epipole[k], 0);
      return row.map((value, k) => value - along * epipole[k]);
    });
    const [a, , c, , e, f] = this.scaling1.matrix;
    return unit(product(product([a, 0, 0, 0, e, 0, c, f, 1], rank2), this.scaling0.matrix));
  }
}

interface Scaling {
  matrix: Matrix;
  inverse: Matrix;
  apply(points: Float64Array, index: number): [number, number];
}

/** Translate the centroid to the origin, and scale the mean distance to it to the square root of two. */
function scalingOf(points: Float64Array): Scaling {
  const count = Math.max(points.length / 2, 1);
  let [cx, cy, distance] = [0, 0, 0];
  for (let k = 0; k < points.length; k += 2) [cx, cy] = [cx + points[k] / count, cy + points[k + 1] / count];
  for (let k = 0; k < points.length; k += 2) distance += Math.hypot(points[k] - cx, points[k + 1] - cy) / count;
  const scale = distance > 0 ? Math.SQRT2 / distance : 1;
  return {
    matrix: [scale, 0, -scale * cx, 0, scale, -scale * cy, 0, 0, 1],
    inverse: [1 / scale, 0, cx, 0, 1 / scale, cy, 0, 0, 1],
    apply: (values, index) => [scale * (values[2 * index] - cx), scale * (values[2 * index + 1] - cy)],
  };
}

/** Compute A^T A of rows of A. */
function gram(rows: readonly (readonly number[])[]): number[][] {
  const size = rows[0].length;
  const result = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  for (const row of rows) for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) result[i][j] += row[i] * row[j];
  return result;
}

/** Draw distinct indices. */
function sample(count: number, size: number, random: () => number): number[] {
  const drawn = new Set<number>();
  while (drawn.size < size) drawn.add(Math.floor(random() * count));
  return [...drawn];
}

/** Random numbers in [0, 1) by a 32-bit xorshift generator (Marsaglia, 2003). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
