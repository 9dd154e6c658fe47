import assert from "node:assert/strict";
import { test } from "node:test";
import { checkManifest, type Manifest } from "../src/bundle";
import { checkSize, hasKnownSignature } from "../src/inputs";

const start = (text: string) => Uint8Array.from([...text].map((letter) => letter.charCodeAt(0)));

test("formats are told by their first bytes", () => {
  for (const text of ["\xff\xd8\xff\xe0", "\x89PNG\r\n", "RIFF\0\0\0\0WEBP", "GIF89a", "BM\0", "\0\0\0\x1cftypavif"]) {
    assert.ok(hasKnownSignature(start(text)), text);
  }
  for (const text of ["", "%PDF-1.7", "II*\0", "<svg>", "\0\0\0\x1cftypheic"]) assert.ok(!hasKnownSignature(start(text)), text);
});

test("images above the limit are refused with their size", () => {
  checkSize(8000, 6000, "a.png");
  assert.throws(() => checkSize(10000, 6000, "a.png"), /a\.png has 10000 × 6000 px = 60\.0 megapixels.*limit of 50; resize it/);
});

test("bundles of another format, a newer one, or another target are refused", () => {
  const manifest = { format: "tiepoint-bundle", format_version: 1, target: "onnx" } as Manifest;
  assert.equal(checkManifest(manifest, "fast/"), manifest);
  assert.throws(() => checkManifest({ ...manifest, format: "zip" }, "fast/"), /expected format 'tiepoint-bundle', got 'zip'/);
  assert.throws(() => checkManifest({ ...manifest, format_version: 2 }, "fast/"), /format version 2 is newer than 1/);
  assert.throws(() => checkManifest({ ...manifest, target: "openvino" }, "fast/"), /for onnx, got 'openvino'/);
});
