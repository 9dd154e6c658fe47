// Do two images show the same scene? The logistic model of tiepoint.geometry.pair_verification, with this page's RANSAC.
import type { Assignment, Features } from "./lightglue";
import { count } from "./lightglue";
import { errorsOf, estimate, type Correspondences, type Kind } from "./ransac";

const LONGER_SIDE = 1024; // px to which both images are scaled
const MAX_ERROR_PX = 2; // of the scaled images
const MAX_MATCHES_FOR_ESTIMATION = 500;
const MIN_KEYPOINTS = 100;
const MIN_MATCHED_RATIO = 0.05;

/** Type of matcher, or extractor and type of matcher -> bias and weights of the logistic model. */
export type Models = Record<string, number[]>;

export interface Verification {
  same_scene: boolean;
  probability: number;
  reason: string;
  num_inliers: number;
}

/** Classify a pair as covisible or not; `models` are the package's coefficients, `kind` is that of the features. */
export function verify(
  assignment: Assignment, features: readonly [Features, Features], kind: string, models: Models,
): Verification {
  const matches = scaledMatches(assignment, features);
  const [fundamental, homography] = (["fundamental", "homography"] as const).map((model) =>
    countInliers(model, matches, assignment.scores),
  );
  const numInliers = Math.max(fundamental, homography);
  const numMatches = assignment.scores.length;
  const probability = numMatches
    ? logistic(models[modelName(kind, assignment.layersRun, models)], numInliers, homography, mean(assignment.scores))
    : 0;
  const sameScene = probability >= 0.5;
  const reason = sameScene
    ? `${numInliers} inliers of ${numMatches} matches`
    : reasonAgainst(Math.min(...features.map(count)), numMatches, numInliers);
  return { same_scene: sameScene, probability, reason, num_inliers: numInliers };
}

/** Corresponding points in px of the images. */
export function correspondences(assignment: Assignment, features: readonly [Features, Features], scales = [1, 1]): Correspondences {
  const [points0, points1] = features.map(({ keypoints }, image) => {
    const points = new Float64Array(assignment.matches.length);
    for (let k = 0; k < points.length; k += 2) {
      const index = assignment.matches[k + image];
      points[k] = keypoints[2 * index] * scales[image];
      points[k + 1] = keypoints[2 * index + 1] * scales[image];
    }
    return points;
  });
  return { points0, points1 };
}

function scaledMatches(assignment: Assignment, features: readonly [Features, Features]): Correspondences {
  return correspondences(assignment, features, features.map(({ imageSize }) => LONGER_SIDE / Math.max(...imageSize)));
}

/** Count the inliers among all matches of a model that is estimated from the highest-scoring ones. */
function countInliers(kind: Kind, matches: Correspondences, scores: Float32Array): number {
  const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, MAX_MATCHES_FOR_ESTIMATION);
  const model = estimate(kind, select(matches, order), MAX_ERROR_PX);
  return model ? errorsOf(kind, model.matrix, matches).filter((error) => error <= MAX_ERROR_PX).length : 0;
}

function select({ points0, points1 }: Correspondences, indices: readonly number[]): Correspondences {
  const pick = (points: Float64Array) => Float64Array.from(indices.flatMap((k) => [points[2 * k], points[2 * k + 1]]));
  return { points0: pick(points0), points1: pick(points1) };
}

function modelName(kind: string, layersRun: number, models: Models): string {
  const matcher = layersRun ? "lightglue" : "nearest";
  const specific = `${kind.split("@")[0]}+${matcher}`;
  return specific in models ? specific : matcher;
}

function logistic([bias, ...weights]: number[], numInliers: number, numHomography: number, score: number): number {
  const values = [Math.log1p(numInliers), Math.log1p(numHomography), score];
  return 1 / (1 + Math.exp(-weights.reduce((sum, weight, k) => sum + weight * values[k], bias)));
}

function reasonAgainst(keypoints: number, matches: number, inliers: number): string {
  if (keypoints === 0) return "no keypoints in at least one image: blank, blurred or too small";
  if (matches === 0) return `no matches between ${keypoints} keypoints`;
  if (keypoints < MIN_KEYPOINTS) return `few keypoints: ${keypoints}, ${matches} of them matched, ${inliers} inliers`;
  if (matches < MIN_MATCHED_RATIO * keypoints) {
    return `low matchability: ${matches} of ${keypoints} keypoints matched, ${inliers} inliers`;
  }
  return `few inliers: ${inliers} of ${matches} matches`;
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
