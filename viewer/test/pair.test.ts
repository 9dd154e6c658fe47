import assert from "node:assert/strict";
import { test } from "node:test";
import { captionLines, keypointText, matchText } from "../src/caption";
import { colorMatches, INLIER, OUTLIER } from "../src/colors";
import { parsePair, type PairData } from "../src/format";
import { group } from "../src/marks";
import { Pair } from "../src/pair";

const image = (name: string) => ({ name, width: 100, height: 80, src: "data:," });
const data = (change: Partial<PairData> = {}): PairData => ({
  format: 1,
  images: [image("a.jpg"), image("b.jpg")],
  keypoints: [[0, 0, 10, 10, 90, 70, 50, 40], [3, 4, 10, 16, 90, 70]],
  matches: [0, 0, 1, 1, 2, 2],
  scores: [0.2, 0.9, 0.5],
  prune: [[3, 3, 3, 1], [3, 3, 3]],
  layers_run: 3,
  estimate: {
    kind: "homography", max_error_px: 3, reason: "", inliers: [1, 0, 1], errors: [0.5, null, 2], fundamental: null,
  },
  ...change,
});

test("matches become points, displacements and errors", () => {
  const pair = new Pair(data());
  assert.deepEqual([...pair.points[1]], [3, 4, 10, 16, 90, 70]);
  assert.deepEqual([...pair.displacements], [5, 6, 0]);
  assert.deepEqual([...pair.errors!], [0.5, Infinity, 2]);
  assert.deepEqual(pair.unmatched, [[3], []]);
  assert.equal(pair.prunedAfter(0, 3), 1);
  assert.equal(pair.prunedAfter(0, 0), null);
});

test("each part of the image shows its best match first", () => {
  const points = [0, 0, 1, 1, 2, 2, 99, 79];
  const pair = new Pair(
    data({ keypoints: [points, points], matches: [0, 0, 1, 1, 2, 2, 3, 3], scores: [0.9, 0.8, 0.7, 0.1], estimate: null }),
  );
  assert.deepEqual([...pair.order], [0, 3, 1, 2]);
});

test("filters keep scores and inliers", () => {
  const pair = new Pair(data());
  assert.deepEqual(pair.select(0.4, false).sort(), [1, 2]);
  assert.deepEqual(pair.select(0, true).sort(), [0, 2]);
});

test("lines are limited, points are not", () => {
  const pair = new Pair(data());
  const { lines, points, numLines } = group(pair.select(0, false), 2, colorMatches(pair, "inlier"));
  assert.equal(numLines, 2);
  assert.equal(lines.flat().length, 2);
  assert.deepEqual(points.map((matches) => matches.length), [1, 2]);
});

test("every color has a palette and an index per match", () => {
  const pair = new Pair(data());
  for (const by of ["inlier", "score", "displacement", "error"] as const) {
    const { palette, indices } = colorMatches(pair, by);
    assert.equal(indices.length, 3);
    assert.ok(indices.every((index) => index < palette.length));
  }
  const { palette, indices } = colorMatches(pair, "inlier");
  assert.deepEqual([...indices].map((index) => palette[index]), [INLIER, OUTLIER, INLIER]);
  const { indices: errors } = colorMatches(pair, "error");
  assert.ok(errors[0] > errors[2] && errors[2] > errors[1] - 1, "small errors are light");
});

test("captions count in words", () => {
  assert.deepEqual(captionLines(new Pair(data())), [
    "3 matches of 4 and 3 keypoints, 3 layers",
    "homography: 2 inliers within 3 px",
  ]);
});

test("a failed estimate has neither inliers nor outliers", () => {
  const failed = { ...data().estimate!, reason: "got 3 matches", inliers: [0, 0, 0] };
  const pair = new Pair(data({ estimate: failed }));
  assert.ok(captionLines(pair)[1].includes("failed, got 3 matches"));
  assert.equal(pair.inliers, null);
  assert.deepEqual(pair.select(0, true).length, 3);
  assert.ok(!("inlier" in Object.fromEntries(matchText(pair, 0))));
});

test("a match and a keypoint are described", () => {
  const pair = new Pair(data());
  assert.deepEqual(Object.fromEntries(matchText(pair, 1)), {
    score: "0.900", error: "∞", inlier: "no", displacement: "6.00 px", "image 0": "(10.0, 10.0)", "image 1": "(10.0, 16.0)",
  });
  assert.equal(Object.fromEntries(keypointText(pair, 0, 3)).pruned, "after layer 1");
});

test("a pair without keypoints is a pair", () => {
  const pair = new Pair(data({ keypoints: [[], []], matches: [], scores: [], prune: [[], []], layers_run: 0, estimate: null }));
  assert.equal(pair.count, 0);
  assert.deepEqual(colorMatches(pair, "displacement").indices.length, 0);
  assert.deepEqual(captionLines(pair), ["0 matches of 0 and 0 keypoints"]);
});

test("invalid data is refused", () => {
  assert.throws(() => parsePair({ ...data(), format: 2 }), /format 1, got 2/);
  assert.throws(() => parsePair(data({ scores: [1] })), /3 scores/);
  assert.throws(() => parsePair(data({ matches: [0, 0, 1, 1, 2, 9] })), /match 2.*below 3, got 9/);
  assert.throws(() => parsePair(data({ estimate: { ...data().estimate!, inliers: [1] } })), /inliers/);
  assert.equal(parsePair(JSON.stringify(data())).scores.length, 3);
});
