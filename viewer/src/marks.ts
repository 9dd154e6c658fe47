// Lines, points and keypoints on the canvas above the images.
import { EPIPOLAR, HIGHLIGHT, layerColor, type Coloring } from "./colors";
import { clipLine, multiply, project, transpose, type Matrix, type Point } from "./geometry";
import type { Pair } from "./pair";
import type { Rect, View } from "./view";

type Context = CanvasRenderingContext2D;

const MAX_OUTLINED = 400; // lines or points; outlines of more would hide the images, and take time

/** Matches to draw: indices by color, the best ones last. */
export interface Selection {
  shown: number[];
  lines: number[][];
  points: number[][];
  numLines: number;
}

/** Group the matches of a selection by color; the first `maxLines` of them get lines. */
export function group(shown: number[], maxLines: number, coloring: Coloring): Selection {
  const numLines = Math.min(maxLines, shown.length);
  const split = (matches: number[]) => {
    const groups: number[][] = coloring.palette.map(() => []);
    for (let k = matches.length - 1; k >= 0; k--) groups[coloring.indices[matches[k]]].push(matches[k]);
    return groups;
  };
  return { shown, lines: split(shown.slice(0, numLines)), points: split(shown), numLines };
}

/** Positions of the matches on the screen: x, y per match; NaN outside of the pane. */
export function screenPoints(view: View, pair: Pair, side: number, homography: Matrix | null): Float32Array {
  const points = pair.points[side];
  const screen = new Float32Array(points.length);
  const [left, top] = view.origin(side);
  const scale = view.scale(side);
  const pane = view.pane(side);
  for (let k = 0; k < points.length; k += 2) {
    let [x, y]: Point = [points[k], points[k + 1]];
    if (homography) [x, y] = project(homography, x, y) ?? [NaN, NaN];
    x = left + (x + 0.5) * scale;
    y = top + (y + 0.5) * scale;
    const inside = x >= pane.x && y >= pane.y && x <= pane.x + pane.width && y <= pane.y + pane.height;
    screen[k] = inside ? x : NaN;
    screen[k + 1] = y;
  }
  return screen;
}

/** Draw lines; few lines have a dark outline, and many are transparent, so that the images stay visible. */
export function drawLines(context: Context, from: Float32Array, to: Float32Array, selection: Selection, palette: string[]): void {
  if (selection.numLines <= MAX_OUTLINED) {
    stroke(context, from, to, selection.lines.flat(), "rgba(0,0,0,0.45)", 2.4);
  }
  context.globalAlpha = Math.min(0.92, Math.max(0.32, 12 / Math.sqrt(selection.numLines + 1)));
  selection.lines.forEach((matches, color) => stroke(context, from, to, matches, palette[color], 1));
  context.globalAlpha = 1;
}

function stroke(context: Context, from: Float32Array, to: Float32Array, matches: number[], color: string, width: number): void {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.beginPath();
  for (const k of matches) {
    const [x0, x1] = [from[2 * k], to[2 * k]];
    if (x0 !== x0 || x1 !== x1) continue; // NaN
    context.moveTo(x0, from[2 * k + 1]);
    context.lineTo(x1, to[2 * k + 1]);
  }
  context.stroke();
}

/** Draw points as squares; outliers as crosses, which can be told apart without color. */
export function drawPoints(
  context: Context, screen: Float32Array, groups: number[][], palette: string[], pair: Pair, radius: number,
): void {
  if (groups.reduce((sum, matches) => sum + matches.length, 0) <= 5 * MAX_OUTLINED) outlinePoints(context, screen, groups, radius + 0.8);
  groups.forEach((matches, color) => {
    context.fillStyle = context.strokeStyle = palette[color];
    context.lineWidth = 1.2;
    context.beginPath();
    for (const k of matches) {
      const x = screen[2 * k];
      if (x !== x) continue; // NaN
      const y = screen[2 * k + 1];
      if (pair.inliers && !pair.inliers[k]) cross(context, x, y, radius);
      else context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
    }
    context.stroke();
  });
}

function outlinePoints(context: Context, screen: Float32Array, groups: number[][], radius: number): void {
  context.fillStyle = "rgba(0,0,0,0.55)";
  for (const matches of groups) {
    for (const k of matches) context.fillRect(screen[2 * k] - radius, screen[2 * k + 1] - radius, 2 * radius, 2 * radius);
  }
}

function cross(context: Context, x: number, y: number, radius: number): void {
  context.moveTo(x - radius, y - radius);
  context.lineTo(x + radius, y + radius);
  context.moveTo(x - radius, y + radius);
  context.lineTo(x + radius, y - radius);
}

/** Draw the keypoints without a match in the color of the layer after which they were pruned. */
export function drawUnmatched(context: Context, view: View, pair: Pair, side: number): void {
  const keypoints = pair.data.keypoints[side];
  const layers = pair.data.layers_run ?? 0;
  const pane = view.pane(side);
  for (const keypoint of pair.unmatched[side]) {
    const [x, y] = view.toScreen(side, keypoints[2 * keypoint], keypoints[2 * keypoint + 1]);
    if (x < pane.x || y < pane.y || x > pane.x + pane.width || y > pane.y + pane.height) continue;
    context.fillStyle = layerColor(pair.prunedAfter(side, keypoint), layers);
    context.fillRect(x - 1, y - 1, 2.5, 2.5);
  }
}

/** Draw the epipolar line of a point of one image in the other image. */
export function drawEpipolarLine(context: Context, view: View, fundamental: Matrix, side: number, [x, y]: Point): void {
  const other = 1 - side;
  const size = view.sizes[other];
  const line = multiply(side === 0 ? fundamental : transpose(fundamental), x, y);
  const ends = clipLine(line, size.width, size.height);
  if (!ends) return;
  inPane(context, view.pane(other), () => {
    context.lineWidth = 1.5;
    context.strokeStyle = EPIPOLAR;
    context.beginPath();
    context.moveTo(...view.toScreen(other, ...ends[0]));
    context.lineTo(...view.toScreen(other, ...ends[1]));
    context.stroke();
  });
}

/** Draw a ring around a position, dark outside, so that it is visible on every image. */
export function drawRing(context: Context, x: number, y: number, radius = 7): void {
  for (const [width, color] of [[4, "rgba(0,0,0,0.7)"], [2, HIGHLIGHT]] as const) {
    context.lineWidth = width;
    context.strokeStyle = color;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
}

export function drawHighlightedLine(context: Context, from: Point, to: Point): void {
  for (const [width, color] of [[4, "rgba(0,0,0,0.6)"], [2, HIGHLIGHT]] as const) {
    context.lineWidth = width;
    context.strokeStyle = color;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  }
}

export function inPane(context: Context, pane: Rect, draw: () => void): void {
  context.save();
  context.beginPath();
  context.rect(pane.x, pane.y, pane.width, pane.height);
  context.clip();
  draw();
  context.restore();
}
