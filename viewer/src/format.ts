// The JSON format of a pair: what `tiepoint` writes and `mount` takes. docs/how-to/look-at-matches.md describes it.
import type { Matrix } from "./geometry";

export const FORMAT = 1;

/** Picture that a browser can draw: a URL (usually a data URL), or an image or canvas of the page. */
export type Picture = string | HTMLImageElement | HTMLCanvasElement | ImageBitmap;

export interface ImageEntry {
  name: string;
  /** Size of the matched image in px, which coordinates refer to. */
  width: number;
  height: number;
  /** Picture of the image, of any size. */
  src: Picture;
}

export interface Estimate {
  kind: "homography" | "fundamental" | "essential" | "pose";
  max_error_px: number;
  /** Reason of a failure; "" if the estimation succeeded. */
  reason: string;
  /** One 0 or 1 per match. */
  inliers: number[];
  /** Error per match in px; null if it is infinite. */
  errors: (number | null)[];
  /** Fundamental matrix of undistorted px; null for homographies and failures. */
  fundamental: Matrix | null;
}

export interface Homography {
  /** Maps px of image 0 to px of image 1. */
  matrix: Matrix;
  num_inliers: number;
}

export interface PairData {
  format: number;
  images: [ImageEntry, ImageEntry];
  /** x, y, x, y, … in px of the images. */
  keypoints: [number[], number[]];
  /** i, j, i, j, …: indices of keypoints. */
  matches: number[];
  scores: number[];
  /** Number of layers after which each keypoint was pruned. */
  prune?: [number[], number[]];
  layers_run?: number;
  estimate?: Estimate | null;
  homography?: Homography | null;
  verification?: { same_scene: boolean; probability: number; reason: string } | null;
  /** Remarks for the caption: reduced images, rotations. */
  notes?: string[];
  initial?: { max_lines?: number | null; unmatched?: boolean };
}

/** Parse JSON, and check what a typing mistake would break. */
export function parsePair(source: PairData | string): PairData {
  const data: PairData = typeof source === "string" ? JSON.parse(source) : source;
  if (data?.format !== FORMAT) {
    throw new Error(`expected data of format ${FORMAT}, got ${JSON.stringify(data?.format)}`);
  }
  const counts = data.keypoints.map((values) => values.length / 2);
  const count = data.matches.length / 2;
  if (data.scores.length !== count) {
    throw new Error(`expected ${count} scores, one per match, got ${data.scores.length}`);
  }
  for (let k = 0; k < data.matches.length; k++) {
    if (!(data.matches[k] < counts[k % 2])) {
      throw new Error(`match ${k >> 1}: expected a keypoint below ${counts[k % 2]}, got ${data.matches[k]}`);
    }
  }
  for (const name of ["inliers", "errors"] as const) {
    const values = data.estimate?.[name];
    if (values && values.length !== count) {
      throw new Error(`estimate.${name}: expected ${count} values, one per match, got ${values.length}`);
    }
  }
  return data;
}
