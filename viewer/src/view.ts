// Panes of the stage and the transform from images to the screen; both panes pan and zoom in step.
import type { Point } from "./geometry";

export type Mode = "side" | "stacked" | "swipe" | "blink";

export interface Size {
  width: number;
  height: number;
}
export interface Rect extends Size {
  x: number;
  y: number;
}

export const GAP = 4; // px between the panes
const MAX_ZOOM = 64;

export class View {
  mode: Mode = "side";
  zoom = 1;
  /** Center of every pane, relative to the image sizes, from 0 to 1. */
  center: [number, number] = [0.5, 0.5];
  stage: Size = { width: 1, height: 1 };

  constructor(readonly sizes: readonly [Size, Size]) {}

  get isOverlay(): boolean {
    return this.mode === "swipe" || this.mode === "blink";
  }

  /** Pane of an image on the stage, in px of the screen; overlays have one pane for both images. */
  pane(side: number): Rect {
    const { width, height } = this.stage;
    if (this.isOverlay) return { x: 0, y: 0, width, height };
    if (this.mode === "stacked") {
      const part = Math.max((height - GAP) / 2, 1);
      return { x: 0, y: side * (part + GAP), width, height: part };
    }
    const part = Math.max((width - GAP) / 2, 1);
    return { x: side * (part + GAP), y: 0, width: part, height };
  }

  /** Screen px per image px. Overlays are drawn in the pixels of image 1. */
  scale(side: number): number {
    const { width, height } = this.pane(side);
    const size = this.sizes[this.isOverlay ? 1 : side];
    return Math.min(width / size.width, height / size.height) * this.zoom;
  }

  /** Position of the outer corner of the top-left pixel of an image on the screen. */
  origin(side: number): Point {
    const pane = this.pane(side);
    const size = this.sizes[this.isOverlay ? 1 : side];
    const scale = this.scale(side);
    return [
      pane.x + pane.width / 2 - this.center[0] * size.width * scale,
      pane.y + pane.height / 2 - this.center[1] * size.height * scale,
    ];
  }

  toScreen(side: number, x: number, y: number): Point {
    const [left, top] = this.origin(side);
    const scale = this.scale(side);
    return [left + (x + 0.5) * scale, top + (y + 0.5) * scale];
  }

  toImage(side: number, x: number, y: number): Point {
    const [left, top] = this.origin(side);
    const scale = this.scale(side);
    return [(x - left) / scale - 0.5, (y - top) / scale - 0.5];
  }

  /** Image under a position of the screen; overlays show the pixels of image 1. */
  sideAt(x: number, y: number): number {
    if (this.isOverlay) return 1;
    const second = this.pane(1);
    return x >= second.x && y >= second.y ? 1 : 0;
  }

  pan(dx: number, dy: number, side: number): void {
    const size = this.sizes[this.isOverlay ? 1 : side];
    const scale = this.scale(side);
    this.center[0] -= dx / (size.width * scale);
    this.center[1] -= dy / (size.height * scale);
    this.clamp();
  }

  /** Zoom so that the image point at a position of the screen stays there. */
  zoomAt(factor: number, x: number, y: number): void {
    const side = this.sideAt(x, y);
    const [px, py] = this.toImage(side, x, y);
    this.zoom = Math.min(Math.max(this.zoom * factor, 1), MAX_ZOOM);
    const [nx, ny] = this.toScreen(side, px, py);
    this.pan(x - nx, y - ny, side);
  }

  /** Center all panes on a point of one image. */
  centerOn(side: number, x: number, y: number): void {
    const size = this.sizes[this.isOverlay ? 1 : side];
    this.center = [(x + 0.5) / size.width, (y + 0.5) / size.height];
    this.clamp();
  }

  reset(): void {
    this.zoom = 1;
    this.center = [0.5, 0.5];
  }

  /** Keep the images in sight: centered without zoom, at most half a pane away from their borders with it. */
  private clamp(): void {
    const half = 0.5 / this.zoom;
    this.center = this.center.map((value) => Math.min(Math.max(value, half), 1 - half)) as [number, number];
  }
}

/** Height of the stage that shows both images as large as the width and the window allow. */
export function stageHeight(mode: Mode, width: number, sizes: readonly [Size, Size], limit: number): number {
  const ratio = (size: Size) => size.height / size.width;
  const shown = mode === "swipe" || mode === "blink" ? [sizes[1]] : sizes;
  const tallest = Math.max(...shown.map(ratio));
  const wanted = {
    side: ((width - GAP) / 2) * tallest,
    stacked: 2 * width * tallest + GAP,
    swipe: width * tallest,
    blink: width * tallest,
  }[mode];
  return Math.round(Math.min(Math.max(wanted, 160), limit));
}
