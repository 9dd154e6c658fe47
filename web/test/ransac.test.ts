import assert from "node:assert/strict";
import { test } from "node:test";
import { multiply } from "../../viewer/src/geometry";
import { nullVector, smallestEigenvector, type Matrix } from "../src/linear";
import { errorsOf, estimate, type Correspondences } from "../src/ransac";

const H: Matrix = [1.1, 0.05, 20, -0.02, 0.95, -7, 1e-4, -2e-4, 1];

/** Random numbers in [0, 1). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 16807) % 2147483647) / 2147483647;
}

/** Matches of a function of random points, followed by random outliers. */
function matches(inliers: number, outliers: number, map: (x: number, y: number, z: number) => readonly [number, number]): Correspondences {
  const random = uniform(7);
  const [points0, points1]: [number[], number[]] = [[], []];
  for (let k = 0; k < inliers + outliers; k++) {
    const [x, y] = [640 * random(), 480 * random()];
    points0.push(x, y);
    points1.push(...(k < inliers ? map(x, y, random()) : [640 * random(), 480 * random()]));
  }
  return { points0: Float64Array.from(points0), points1: Float64Array.from(points1) };
}

function project(x: number, y: number): [number, number] {
  const [u, v, w] = multiply(H, x, y);
  return [u / w, v / w];
}

/** Camera that moves sideways and forward: points of different depth move along lines through the epipole. */
function move(x: number, y: number, z: number): [number, number] {
  const depth = 2 + 4 * z;
  return [(500 * ((x - 320) / 500 * depth + 0.4)) / (depth + 0.3) + 320, (500 * (((y - 240) / 500) * depth)) / (depth + 0.3) + 240];
}

test("finds a homography among outliers", () => {
  const found = estimate("homography", matches(60, 90, project), 1)!;
  const scale = found.matrix[8];
  for (const [k, value] of H.entries()) assert.ok(Math.abs(found.matrix[k] / scale - value) < 1e-6 * (1 + Math.abs(value)));
  assert.ok(found.errors.subarray(0, 60).every((error) => error < 1e-6));
  assert.ok(found.numInliers >= 60 && found.numInliers < 63);
});

test("finds a fundamental matrix of rank 2 among outliers", () => {
  const data = matches(120, 60, move);
  const found = estimate("fundamental", data, 1)!;
  const [a, b, c, d, e, f, g, h, i] = found.matrix;
  assert.ok(Math.abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)) < 1e-12);
  assert.ok(found.errors.subarray(0, 120).every((error) => error < 1e-6));
  assert.ok(found.numInliers >= 120 && found.numInliers < 135);
  assert.ok(estimate("homography", data, 1)!.numInliers < 60, "the points are not on a plane");
});

test("noise below the threshold is averaged", () => {
  const random = uniform(3);
  const data = matches(200, 50, (x, y) => {
    const [u, v] = project(x, y);
    return [u + random() - 0.5, v + random() - 0.5];
  });
  const found = estimate("homography", data, 2)!;
  const [u, v] = project(320, 240);
  const [x, y, w] = multiply(found.matrix, 320, 240);
  assert.ok(Math.hypot(x / w - u, y / w - v) < 0.15);
});

test("the result is deterministic", () => {
  const data = matches(40, 60, project);
  assert.deepEqual(estimate("homography", data, 2), estimate("homography", data, 2));
});

test("too few or degenerate matches have no model", () => {
  assert.equal(estimate("homography", matches(3, 0, project), 1), null);
  assert.equal(estimate("fundamental", matches(7, 0, move), 1), null);
  const same = { points0: new Float64Array(40).fill(5), points1: new Float64Array(40).fill(9) };
  assert.equal(estimate("homography", same, 1), null);
});

test("errors are transfer errors in image 1, and Sampson distances", () => {
  const data = { points0: Float64Array.of(10, 20), points1: Float64Array.of(13, 24) };
  assert.deepEqual([...errorsOf("homography", [1, 0, 0, 0, 1, 0, 0, 0, 1], data)], [5]);
  const rows: Matrix = [0, 0, 0, 0, 0, -1, 0, 1, 0]; // rectified pair: rows correspond
  assert.ok(Math.abs(errorsOf("fundamental", rows, data)[0] - 4 / Math.SQRT2) < 1e-12);
});

test("null vectors and eigenvectors", () => {
  const vector = nullVector([[1, 0, -2], [0, 1, 3]])!;
  assert.ok(Math.abs(vector[0] / vector[2] - 2) < 1e-12 && Math.abs(vector[1] / vector[2] + 3) < 1e-12);
  assert.equal(nullVector([[1, 2, 3], [2, 4, 6]]), null);
  const [x, y] = smallestEigenvector([[2, 1], [1, 2]]);
  assert.ok(Math.abs(x + y) < 1e-12 && Math.abs(Math.hypot(x, y) - 1) < 1e-12);
});
