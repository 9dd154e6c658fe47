// The package's ImageTransform: from px of an image to px of the extractor's input, in float32 as there.

/** Width and height in px. */
export type Size = readonly [width: number, height: number];

/** RGB in [0, 1], shape (3, height, width). */
export interface Planes {
  data: Float32Array;
  size: Size;
}

/** Strip of an image: rows of RGBA bytes. */
export interface Strip {
  top: number;
  rows: number;
  rgba: Uint8ClampedArray;
}

/**
 * Return the size of the extractor's input: the longer side has `resize` px, both sides are multiples of `multiple` px.
 *
 * @param size Size of the image.
 * @param resize Longer side in px; null keeps the size.
 * @param upscale Enlarge images whose longer side is below `resize`.
 * @param multiple Sides are reduced to the next lower multiple of this many px, at least one.
 */
export function fitSize(size: Size, resize: number | null, upscale: boolean, multiple: number): Size {
  const longer = Math.max(...size);
  const target = resize === null || (longer < resize && !upscale) ? longer : resize;
  const [width, height] = size.map((side) => {
    const rounded = Math.floor((2 * side * target + longer) / (2 * longer));
    return Math.max(Math.floor(rounded / multiple), 1) * multiple;
  });
  return [width, height];
}

/** Weights of the triangle filter for one output px: `weights[k]` belongs to the input px `start + k`. */
interface Taps {
  start: number;
  weights: Float32Array;
}

/**
 * Triangle filter, as wide as the reduction: torch's bilinear interpolation with antialiasing.
 *
 * Centers and weights are rounded to float32 where torch rounds them: in wide images this moves weights by 1e-5.
 */
export function filterTaps(inputSide: number, outputSide: number): Taps[] {
  const scale = Math.fround(inputSide / outputSide);
  const support = Math.max(scale, 1);
  const inverse = Math.fround(1 / support);
  return Array.from({ length: outputSide }, (_, index) => {
    const center = Math.fround(scale * (index + 0.5));
    const start = Math.max(Math.trunc(Math.fround(center - support) + 0.5), 0);
    const end = Math.min(Math.trunc(Math.fround(center + support) + 0.5), inputSide);
    const weights = Float32Array.from({ length: Math.max(end - start, 0) }, (_, k) =>
      Math.max(0, 1 - Math.abs(Math.fround((Math.fround(start + k - center) + 0.5) * inverse))),
    );
    const total = weights.reduce((sum, weight) => Math.fround(sum + weight), 0);
    return { start, weights: weights.map((weight) => weight / total) };
  });
}

/**
 * Resize an image, strip by strip: the width of each strip first, then the height of the narrowed image.
 *
 * @param strips Strips that cover the image, in any order.
 * @param size Size of the image.
 * @param target Size of the result.
 */
export async function resizeStrips(strips: Iterable<Strip> | AsyncIterable<Strip>, size: Size, target: Size): Promise<Planes> {
  const [width, height] = size;
  const [newWidth, newHeight] = target;
  const taps = filterTaps(width, newWidth);
  const narrowed = new Float32Array(3 * height * newWidth);
  for await (const strip of strips) narrowStrip(strip, width, taps, narrowed, height);
  return { data: shorten(narrowed, newWidth, height, newHeight), size: target };
}

function narrowStrip({ top, rows, rgba }: Strip, width: number, taps: Taps[], narrowed: Float32Array, height: number): void {
  for (let channel = 0; channel < 3; channel++) {
    for (let row = 0; row < rows; row++) {
      const from = 4 * row * width + channel;
      const to = (channel * height + top + row) * taps.length;
      taps.forEach(({ start, weights }, column) => {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * rgba[from + 4 * (start + k)];
        narrowed[to + column] = sum;
      });
    }
  }
}

/** Resize the height of (3, height, width) values in [0, 255], and scale them to [0, 1]. */
function shorten(values: Float32Array, width: number, height: number, newHeight: number): Float32Array {
  const result = new Float32Array(3 * newHeight * width);
  const taps = filterTaps(height, newHeight);
  for (let channel = 0; channel < 3; channel++) {
    taps.forEach(({ start, weights }, row) => {
      const [from, to] = [(channel * height + start) * width, (channel * newHeight + row) * width];
      for (let column = 0; column < width; column++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * values[from + k * width + column];
        result[to + column] = Math.min(Math.max(Math.fround(sum) / 255, 0), 1);
      }
    });
  }
  return result;
}

/** Map keypoints x, y, x, y, … from px of the extractor's input to px of the image; the first px has its center at 0. */
export function toOriginal(keypoints: Float32Array, size: Size, resized: Size): Float32Array {
  const scale = size.map((side, axis) => Math.fround(resized[axis] / side));
  return keypoints.map((value, k) => Math.fround(Math.fround(value + 0.5) / scale[k % 2]) - 0.5);
}
