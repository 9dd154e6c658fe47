import assert from "node:assert/strict";
import { test } from "node:test";
import { fitSize, resizeStrips, toOriginal, type Size, type Strip } from "../src/resize";

const SIZE: Size = [7, 5];
const VALUES = Array.from({ length: 35 }, (_, k) => (37 * k + 11) % 251);

/** Values of torch.nn.functional.interpolate(mode="bilinear", antialias=True, align_corners=False) / 255. */
const SMALLER = [
  0.132586, 0.358387, 0.625367, 0.851167, 0.181886, 0.407686, 0.674667, 0.785891, 0.231186, 0.456986, 0.723966, 0.434174,
];
const LARGER = [
  0.043137, 0.139869, 0.252723, 0.365577, 0.478431, 0.591285, 0.704139, 0.816993, 0.913725, 0.056863, 0.153595, 0.266449,
  0.379303, 0.492157, 0.605011, 0.717865, 0.830719, 0.927451, 0.076471, 0.173203, 0.286057, 0.398911, 0.511765, 0.624619,
];

/** Gray image with an offset per channel, in strips of two rows. */
function* strips(offset = 0): Iterable<Strip> {
  for (let top = 0; top < SIZE[1]; top += 2) {
    const values = VALUES.slice(7 * top, 7 * (top + 2));
    const rgba = Uint8ClampedArray.from(values.flatMap((value) => [value, value, value + offset, 255]));
    yield { top, rows: values.length / 7, rgba };
  }
}

function assertClose(actual: Float32Array, expected: readonly number[]): void {
  for (const [k, value] of expected.entries()) assert.ok(Math.abs(actual[k] - value) < 1e-6, `${k}: ${actual[k]}, expected ${value}`);
}

test("reduces as torch does, with antialiasing", async () => {
  const { data } = await resizeStrips(strips(), SIZE, [4, 3]);
  assert.equal(data.length, 3 * 12);
  assertClose(data, SMALLER);
  assertClose(data.subarray(24), SMALLER);
});

test("enlarges as torch does", async () => {
  const { data } = await resizeStrips(strips(), SIZE, [9, 8]);
  assertClose(data, LARGER);
});

test("keeps the values of an image of the same size, by channel", async () => {
  const { data } = await resizeStrips(strips(1), SIZE, SIZE);
  assertClose(data, VALUES.map((value) => value / 255));
  assertClose(data.subarray(70), VALUES.map((value) => (value + 1) / 255));
});

test("the right end of a wide image is weighted as torch does, in float32", async () => {
  const rgba = Uint8ClampedArray.from({ length: 4 * 741 }, (_, k) => (37 * (k >> 2) + 11) % 251);
  const { data } = await resizeStrips([{ top: 0, rows: 1, rgba }], [741, 1], [736, 1]);
  assertClose(data.subarray(728), [0.1419392, 0.231926, 0.3779939, 0.5240618, 0.6701384, 0.8162063, 0.9622742, 0.1338944]);
});

test("sizes are those of ImageTransform.fit", () => {
  assert.deepEqual(fitSize([741, 500], 1024, false, 32), [736, 480]);
  assert.deepEqual(fitSize([4000, 3000], 1024, true, 32), [1024, 768]);
  assert.deepEqual(fitSize([1, 1], 1024, false, 32), [32, 32]);
  assert.deepEqual(fitSize([1000, 20], 1024, true, 1), [1024, 20]);
  assert.deepEqual(fitSize([333, 777], 500, true, 8), [208, 496]);
  assert.deepEqual(fitSize([333, 777], null, true, 1), [333, 777]);
});

test("keypoints are those of ImageTransform.to_original", () => {
  const keypoints = Float32Array.of(0, 0, 10.5, 20.25);
  const expected = Float32Array.of(0.003396749496459961, 0.020833373069763184, 10.574728965759277, 21.11458396911621);
  assert.deepEqual(toOriginal(keypoints, [741, 500], [736, 480]), expected);
});
