// Small dense systems. Matrices are arrays of rows; homographies and fundamental matrices are nine numbers by rows.
import type { Matrix } from "../../viewer/src/geometry";

export type { Matrix };

/** Multiply two 3x3 matrices. */
export function product(a: Matrix, b: Matrix): number[] {
  return Array.from({ length: 9 }, (_, k) => {
    const [row, column] = [3 * Math.floor(k / 3), k % 3];
    return a[row] * b[column] + a[row + 1] * b[column + 3] + a[row + 2] * b[column + 6];
  });
}

/** Return the vector of length 1 that n - 1 rows of length n map to zero; null if they determine none. */
export function nullVector(rows: readonly (readonly number[])[]): number[] | null {
  const a = rows.map((row) => [...row]);
  const n = a.length + 1;
  const order = Array.from({ length: n }, (_, k) => k);
  for (let step = 0; step < n - 1; step++) {
    const [row, column] = largest(a, step);
    if (!(Math.abs(a[row][column]) > 1e-10)) return null;
    [a[step], a[row]] = [a[row], a[step]];
    for (const values of [...a, order]) [values[step], values[column]] = [values[column], values[step]];
    for (let below = step + 1; below < n - 1; below++) {
      const factor = a[below][step] / a[step][step];
      for (let k = step; k < n; k++) a[below][k] -= factor * a[step][k];
    }
  }
  const solution = new Array<number>(n).fill(1);
  for (let step = n - 2; step >= 0; step--) {
    let sum = 0;
    for (let k = step + 1; k < n; k++) sum += a[step][k] * solution[k];
    solution[step] = -sum / a[step][step];
  }
  const vector = new Array<number>(n);
  order.forEach((column, k) => (vector[column] = solution[k]));
  return unit(vector);
}

function largest(a: number[][], step: number): [number, number] {
  let best: [number, number] = [step, step];
  for (let row = step; row < a.length; row++) {
    for (let column = step; column <= a.length; column++) {
      if (Math.abs(a[row][column]) > Math.abs(a[best[0]][best[1]])) best = [row, column];
    }
  }
  return best;
}

/** Return the eigenvector of the smallest eigenvalue of a symmetric positive semidefinite matrix (cyclic Jacobi). */
export function smallestEigenvector(symmetric: readonly (readonly number[])[]): number[] {
  const a = symmetric.map((row) => [...row]);
  const n = a.length;
  const vectors = a.map((_, i) => a.map((_, j) => Number(i === j)));
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p][q] ** 2;
    if (off < 1e-30 * a.reduce((sum, row, k) => sum + row[k] ** 2, 0)) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, p, q);
  }
  const smallest = a.reduce((best, row, k) => (row[k] < a[best][best] ? k : best), 0);
  return vectors.map((row) => row[smallest]);
}

/** Set a[p][q] to zero by a rotation. */
function rotate(a: number[][], vectors: number[][], p: number, q: number): void {
  if (a[p][q] === 0) return;
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  const mix = (row: number[]) => ([row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]]);
  a.forEach(mix);
  for (let k = 0; k < a.length; k++) {
    [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
  }
  vectors.forEach(mix);
}

/** Scale to length 1. */
export function unit(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
