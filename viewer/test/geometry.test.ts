import assert from "node:assert/strict";
import { test } from "node:test";
import { clipLine, invert, multiply, project, transpose, type Matrix } from "../src/geometry";

const H: Matrix = [1.1, 0.05, 20, -0.02, 0.95, -7, 1e-4, -2e-4, 1];

test("a homography and its inverse cancel", () => {
  const [x, y] = project(H, 123, 45)!;
  const back = project(invert(H)!, x, y)!;
  assert.ok(Math.hypot(back[0] - 123, back[1] - 45) < 1e-9);
});

test("points behind the camera and at infinity have no image", () => {
  assert.equal(project([1, 0, 0, 0, 1, 0, -0.01, 0, 1], 200, 0), null);
  assert.equal(project([1, 0, 0, 0, 1, 0, -0.01, 0, 1], 100, 0), null);
});

test("a singular matrix has no inverse", () => {
  assert.equal(invert([1, 2, 3, 2, 4, 6, 0, 0, 1]), null);
});

test("transposing twice changes nothing", () => {
  assert.deepEqual(transpose(transpose(H)), H);
});

test("epipolar lines of a rectified pair are rows", () => {
  const line = multiply([0, 0, 0, 0, 0, -1, 0, 1, 0], 30, 12);
  assert.deepEqual(clipLine(line, 100, 50), [[-0.5, 12], [99.5, 12]]);
});

test("lines are clipped at the borders of the image", () => {
  assert.deepEqual(clipLine([1, 0, -20], 100, 50), [[20, -0.5], [20, 49.5]]);
  assert.deepEqual(clipLine([1, -1, 0], 100, 50), [[-0.5, -0.5], [49.5, 49.5]]);
  assert.equal(clipLine([1, 0, 20], 100, 50), null);
  assert.equal(clipLine([0, 0, 1], 100, 50), null);
});
