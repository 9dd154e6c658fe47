import assert from "node:assert/strict";
import { test } from "node:test";
import { exifOrientation } from "../src/exif";

const text = (value: string) => [...value].map((letter) => letter.charCodeAt(0));

/** TIFF block with two tags, the second of which is the orientation. */
function tiff(orientation: number, little: boolean): number[] {
  const short = (value: number) => (little ? [value & 255, value >> 8] : [value >> 8, value & 255]);
  const long = (value: number) => (little ? [...short(value), 0, 0] : [0, 0, ...short(value)]);
  const entry = (tag: number, value: number) => [...short(tag), ...short(3), ...long(1), ...short(value), 0, 0];
  return [...text(little ? "II" : "MM"), ...short(42), ...long(8), ...short(2), ...entry(0x0100, 7), ...entry(0x0112, orientation)];
}

const big = (value: number) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];

function jpeg(block: number[]): Uint8Array {
  const length = block.length + 8;
  const comment = [0xff, 0xfe, 0, 4, 1, 2];
  return Uint8Array.from([0xff, 0xd8, ...comment, 0xff, 0xe1, length >> 8, length & 255, ...text("Exif\0\0"), ...block, 0xff, 0xda]);
}

function png(block: number[]): Uint8Array {
  const chunk = (name: string, data: number[]) => [...big(data.length), ...text(name), ...data, 0, 0, 0, 0];
  const signature = [0x89, ...text("PNG"), 13, 10, 26, 10];
  return Uint8Array.from([...signature, ...chunk("IHDR", new Array(13).fill(0)), ...chunk("eXIf", block), ...chunk("IEND", [])]);
}

function webp(block: number[]): Uint8Array {
  const little = (value: number) => big(value).reverse();
  const chunks = [...text("VP8X"), ...little(3), 1, 2, 3, 0, ...text("EXIF"), ...little(block.length), ...block];
  return Uint8Array.from([...text("RIFF"), ...little(4 + chunks.length), ...text("WEBP"), ...chunks]);
}

test("JPEG, PNG and WebP, in both byte orders", () => {
  for (const container of [jpeg, png, webp]) {
    for (const little of [true, false]) {
      for (const orientation of [1, 3, 6, 8]) assert.equal(exifOrientation(container(tiff(orientation, little))), orientation);
    }
  }
});

test("missing, invalid and truncated values are 1", () => {
  assert.equal(exifOrientation(jpeg(tiff(9, true))), 1);
  assert.equal(exifOrientation(Uint8Array.of(0xff, 0xd8, 0xff, 0xda, 0, 0)), 1);
  assert.equal(exifOrientation(Uint8Array.from(text("not an image"))), 1);
  assert.equal(exifOrientation(new Uint8Array()), 1);
  for (const container of [jpeg, png, webp]) {
    const whole = container(tiff(6, true));
    for (let length = 0; length < whole.length - 40; length++) assert.equal(exifOrientation(whole.subarray(0, length)), 1);
  }
});
