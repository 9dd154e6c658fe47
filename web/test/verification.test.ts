import assert from "node:assert/strict";
import { test } from "node:test";
import type { Assignment, Features } from "../src/lightglue";
import { verify } from "../src/verification";

const MODELS = { lightglue: [-6, 1, 0.25, 5], "xfeat+lightglue": [-60, 1, 0.25, 5], nearest: [-12, 0.3, 1, 18] };

/** Keypoints of a grid; those of image 1 are shifted. */
function features(count: number, shift: number): Features {
  const keypoints = Float32Array.from({ length: 2 * count }, (_, k) => {
    const index = k >> 1;
    return (k % 2 ? 30 * Math.floor(index / 20) : 30 * (index % 20)) + shift + ((index * index) % 7) / 10;
  });
  return { keypoints, scores: new Float32Array(count), descriptors: new Float32Array(), imageSize: [640, 480] };
}

function assignment(matches: number[], score = 0.8): Assignment {
  return {
    matches: Int32Array.from(matches),
    scores: new Float32Array(matches.length / 2).fill(score),
    prune: [new Int32Array(), new Int32Array()],
    layersRun: 6,
    stoppedBy: "last_layer",
  };
}

/** Knuth's multiplicative hash. */
function randomIndex(k: number): number {
  return (Math.imul(k * k + 1, 2654435761) >>> 8) % 200;
}

const CORRECT = Array.from({ length: 200 }, (_, k) => k >> 1);
const WRONG = Array.from({ length: 200 }, (_, k) => (k % 2 ? randomIndex(k) : k >> 1));
const PAIR = [features(200, 0), features(200, 12)] as const;

test("correct matches are the same scene, with the probability of the logistic model", () => {
  const found = verify(assignment(CORRECT), PAIR, "aliked-n16@1", MODELS);
  assert.equal(found.reason, "100 inliers of 100 matches");
  const expected = 1 / (1 + Math.exp(6 - Math.log(101) - 0.25 * Math.log(101) - 5 * Math.fround(0.8)));
  assert.ok(Math.abs(found.probability - expected) < 1e-6);
  assert.equal(found.same_scene, true);
});

test("random matches are not", () => {
  const found = verify(assignment(WRONG, 0.2), PAIR, "aliked-n16@1", MODELS);
  assert.equal(found.same_scene, false);
  assert.match(found.reason, /^few inliers: \d+ of 100 matches$/);
  assert.ok(found.num_inliers < 30);
});

test("the coefficients of the extractor come first", () => {
  assert.ok(verify(assignment(CORRECT), PAIR, "xfeat@1", MODELS).probability < 1e-9);
});

test("reasons name what is missing", () => {
  const empty = features(0, 0);
  assert.match(verify(assignment([]), [PAIR[0], empty], "x@1", MODELS).reason, /^no keypoints in at least one image/);
  assert.equal(verify(assignment([]), PAIR, "x@1", MODELS).reason, "no matches between 200 keypoints");
  assert.match(verify(assignment(WRONG.slice(0, 8), 0.1), PAIR, "x@1", MODELS).reason, /^low matchability: 4 of 200 keypoints/);
  const few = [features(50, 0), features(50, 12)] as const;
  assert.match(verify(assignment([0, 40, 1, 9], 0.1), few, "x@1", MODELS).reason, /^few keypoints: 50, 2 of them matched/);
  assert.equal(verify(assignment([]), PAIR, "x@1", MODELS).probability, 0);
});
