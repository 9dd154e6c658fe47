// A result as the JSON file of `tiepoint match --json`, and as the data of the viewer.
import type { Estimate, PairData, Picture } from "../../viewer/src/format";
import type { PairResult } from "./matcher";
import type { Model } from "./ransac";

const FILE_FORMAT = 1; // of tiepoint.result.files
const VIEWER_FORMAT = 1;

/** Return the content of the file, with the names of `tiepoint match --json`. */
export function fileContents({ kind, features, assignment, verification, seconds }: PairResult): Record<string, unknown> {
  const pairs = rows(assignment.matches, 2);
  const contents: Record<string, unknown> = { format: FILE_FORMAT, verification };
  const points = features.map((image, side) => {
    const keypoints = rows(image.keypoints, 2);
    contents[`image${side}`] = image.name;
    contents[`image_size${side}`] = [...image.imageSize];
    contents[`exif_orientation${side}`] = image.exifOrientation;
    contents[`keypoints${side}`] = keypoints;
    contents[`keypoint_scores${side}`] = [...image.scores];
    return pairs.map((pair) => keypoints[pair[side]]);
  });
  return {
    ...contents,
    features: kind,
    points0: points[0],
    points1: points[1],
    scores: [...assignment.scores],
    matches: pairs,
    layers_run: assignment.layersRun,
    stopped_by: assignment.stoppedBy,
    keypoints_used: features.map((image) => image.scores.length),
    prune0: [...assignment.prune[0]],
    prune1: [...assignment.prune[1]],
    rotation0: 0,
    rotation1: 0,
    scale: 1,
    tilt: 1,
    views_tried: 1,
    seconds,
  };
}

/** Return the data of the viewer. */
export function viewerData(result: PairResult, pictures: readonly [Picture, Picture]): PairData {
  const { features, assignment, verification, fundamental, homography } = result;
  const [image0, image1] = features.map(({ name, imageSize: [width, height] }, side) => ({
    name, width, height, src: pictures[side],
  }));
  return {
    format: VIEWER_FORMAT,
    images: [image0, image1],
    keypoints: [[...features[0].keypoints], [...features[1].keypoints]],
    matches: [...assignment.matches],
    scores: [...assignment.scores],
    prune: [[...assignment.prune[0]], [...assignment.prune[1]]],
    layers_run: assignment.layersRun,
    estimate: fundamental && estimateOf(fundamental, result.maxErrorPx),
    homography: homography && registration(homography, features[0].imageSize),
    verification,
  };
}

function estimateOf({ kind, matrix, errors }: Model, maxErrorPx: number): Estimate {
  return {
    kind,
    max_error_px: maxErrorPx,
    reason: "",
    inliers: Array.from(errors, (error) => Number(error <= maxErrorPx)),
    errors: Array.from(errors, (error) => (Number.isFinite(error) ? error : null)),
    fundamental: matrix,
  };
}

/** Scale a homography so that w = 1 at the center of image 0: points with w > 0 are in front of the camera. */
function registration({ matrix, numInliers }: Model, [width, height]: readonly [number, number]): PairData["homography"] {
  const w = (matrix[6] * (width - 1)) / 2 + (matrix[7] * (height - 1)) / 2 + matrix[8];
  return w === 0 ? null : { matrix: matrix.map((value) => value / w), num_inliers: numInliers };
}

function rows(values: Float32Array | Int32Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, k) => [...values.subarray(width * k, width * (k + 1))]);
}
