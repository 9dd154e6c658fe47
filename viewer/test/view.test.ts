import assert from "node:assert/strict";
import { test } from "node:test";
import { GAP, stageHeight, View } from "../src/view";

const SIZES = [{ width: 400, height: 300 }, { width: 200, height: 300 }] as const;

function view(mode: View["mode"] = "side"): View {
  const made = new View(SIZES);
  made.mode = mode;
  made.stage = { width: 800 + GAP, height: 400 };
  return made;
}

test("the screen and the images are mapped to each other", () => {
  const made = view();
  made.zoomAt(3, 100, 120);
  for (const side of [0, 1]) {
    const [x, y] = made.toImage(side, ...made.toScreen(side, 12, 34));
    assert.ok(Math.hypot(x - 12, y - 34) < 1e-9);
  }
});

test("images fit into their panes", () => {
  const made = view();
  assert.equal(made.scale(0), 1);
  assert.equal(made.scale(1), 400 / 300);
  assert.deepEqual(made.toScreen(0, -0.5, -0.5), [0, 50]);
});

test("zooming keeps the point under the pointer, in the image of that pane", () => {
  const made = view();
  const before = made.toImage(1, 600, 150);
  made.zoomAt(2.5, 600, 150);
  const after = made.toImage(1, 600, 150);
  assert.ok(Math.hypot(before[0] - after[0], before[1] - after[1]) < 1e-9);
});

test("both panes pan in step", () => {
  const made = view();
  made.zoomAt(4, 200, 200);
  const before = [0, 1].map((side) => made.origin(side)[0] / (SIZES[side].width * made.scale(side)));
  made.pan(-30, 0, 0);
  const after = [0, 1].map((side) => made.origin(side)[0] / (SIZES[side].width * made.scale(side)));
  assert.ok(Math.abs(after[0] - before[0] - (after[1] - before[1])) < 1e-9);
  assert.ok(after[0] < before[0]);
});

test("the images stay in sight", () => {
  const made = view();
  made.zoomAt(2, 0, 0);
  made.pan(1e6, -1e6, 0);
  assert.deepEqual(made.center, [0.25, 0.75]);
  made.zoomAt(0.01, 0, 0);
  assert.equal(made.zoom, 1);
  assert.deepEqual(made.center, [0.5, 0.5]);
});

test("overlays have one pane in the pixels of image 1", () => {
  const made = view("swipe");
  assert.equal(made.sideAt(10, 10), 1);
  assert.equal(made.scale(0), made.scale(1));
  assert.deepEqual(made.origin(0), made.origin(1));
});

test("stacked panes are above each other", () => {
  const made = view("stacked");
  assert.equal(made.sideAt(10, 10), 0);
  assert.equal(made.sideAt(10, 390), 1);
});

test("the stage is as high as the images need, within limits", () => {
  assert.equal(stageHeight("side", 404, SIZES, 1000), 300);
  assert.equal(stageHeight("stacked", 100, SIZES, 1000), 304);
  assert.equal(stageHeight("swipe", 1000, SIZES, 700), 700);
  assert.equal(stageHeight("side", 100, SIZES, 1000), 160);
});
