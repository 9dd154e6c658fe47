import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePair } from "../../viewer/src/format";
import type { PairResult } from "../src/matcher";
import { fileContents, viewerData } from "../src/result";

const image = (name: string, keypoints: number[]) => ({
  name,
  keypoints: Float32Array.from(keypoints),
  scores: new Float32Array(keypoints.length / 2).fill(0.5),
  descriptors: new Float32Array(),
  imageSize: [101, 51] as const,
  exifOrientation: 6,
});

const RESULT: PairResult = {
  kind: "xfeat@1",
  features: [image("a.jpg", [1, 2, 3, 4, 5, 6]), image("b.jpg", [7, 8, 9, 10])],
  assignment: {
    matches: Int32Array.of(0, 1, 2, 0),
    scores: Float32Array.of(0.75, 0.5),
    prune: [Int32Array.of(6, 1, 6), Int32Array.of(6, 6)],
    layersRun: 6,
    stoppedBy: "last_layer",
  },
  verification: { same_scene: true, probability: 0.9, reason: "2 inliers of 2 matches", num_inliers: 2 },
  fundamental: { kind: "fundamental", matrix: [0, 0, 0, 0, 0, -1, 0, 1, 0], errors: Float64Array.of(2, Infinity), numInliers: 1 },
  homography: { kind: "homography", matrix: [-1, 0, 0, 0, -1, 0, 0, 0, -1], errors: Float64Array.of(0, 0), numInliers: 2 },
  maxErrorPx: 3,
  seconds: { read: 0.1 },
};

test("the file has the points of the matches", () => {
  const contents = fileContents(RESULT);
  assert.deepEqual(contents.matches, [[0, 1], [2, 0]]);
  assert.deepEqual(contents.points0, [[1, 2], [5, 6]]);
  assert.deepEqual(contents.points1, [[9, 10], [7, 8]]);
  assert.deepEqual([contents.image0, contents.image_size1, contents.exif_orientation0], ["a.jpg", [101, 51], 6]);
  assert.deepEqual(contents.keypoints_used, [3, 2]);
});

test("the viewer accepts the data", () => {
  const data = parsePair(JSON.stringify(viewerData(RESULT, ["data:,", "data:,"])));
  assert.deepEqual(data.estimate?.inliers, [1, 0]);
  assert.deepEqual(data.estimate?.errors, [2, null]);
  assert.deepEqual(data.homography?.matrix, [1, 0, 0, 0, 1, 0, 0, 0, 1]); // w = 1 at the center
  assert.deepEqual(data.matches, [0, 1, 2, 0]);
});
