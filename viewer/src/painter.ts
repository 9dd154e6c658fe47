// The three canvases of the stage, images, matches, and what is hovered: each is drawn again only if it has changed.
import type { Coloring } from "./colors";
import { element } from "./dom";
import type { Point } from "./geometry";
import * as marks from "./marks";
import type { Pair } from "./pair";
import { Pyramid, warp } from "./pictures";
import type { State } from "./state";
import type { Target } from "./targets";
import type { Rect, Size, View } from "./view";

const LAYERS = ["images", "matches", "hovered"] as const;
export type Layer = (typeof LAYERS)[number];

/** What is drawn. */
export interface Scene {
  state: State;
  selection: marks.Selection;
  coloring: Coloring;
  target: Target | null;
}

export class Painter {
  readonly canvases = LAYERS.map(() => element("canvas", { "aria-hidden": "true" }));
  /** Positions of the matches on the screen in both images; NaN outside of the pane. */
  screen: [Float32Array, Float32Array] = [new Float32Array(0), new Float32Array(0)];
  /** Number of frames in which matches were drawn. */
  frames = 0;
  private readonly dirty = new Set<Layer>();
  private warped: Pyramid | null = null;
  private request = 0;

  /** @param scene Returns what to draw when a frame begins. */
  constructor(
    private readonly pair: Pair, private readonly view: View, private readonly pictures: [Pyramid, Pyramid], private readonly scene: () => Scene,
  ) {}

  /** Draw layers in the next frame. */
  draw(...layers: Layer[]): void {
    for (const layer of layers) this.dirty.add(layer);
    if (!this.request) this.request = requestAnimationFrame(() => this.paint());
  }

  /** Set the size of the stage in px of the page, and draw again. */
  resize({ width, height }: Size): void {
    for (const canvas of this.canvases) {
      canvas.width = Math.round(width * pixelRatio());
      canvas.height = Math.round(height * pixelRatio());
    }
    this.draw(...LAYERS);
  }

  stop(): void {
    cancelAnimationFrame(this.request);
  }

  private paint(): void {
    this.request = 0;
    const painters = { images: this.paintImages, matches: this.paintMatches, hovered: this.paintHovered };
    LAYERS.forEach((layer, index) => {
      if (!this.dirty.has(layer)) return;
      const context = this.canvases[index].getContext("2d")!;
      context.setTransform(pixelRatio(), 0, 0, pixelRatio(), 0, 0);
      context.clearRect(0, 0, this.view.stage.width, this.view.stage.height);
      painters[layer].call(this, context, this.scene());
    });
    this.dirty.clear();
  }

  private paintImages(context: CanvasRenderingContext2D, { state }: Scene): void {
    const { view } = this;
    for (const side of view.isOverlay ? [1] : [0, 1]) {
      marks.inPane(context, view.pane(side), () => this.pictures[side].paint(context, this.imageRect(side), pixelRatio()));
    }
    if (view.isOverlay) {
      this.paintOverlay(context, state);
    } else {
      context.fillStyle = "rgba(0,0,0,0.25)"; // the colors of the matches stand out
      context.fillRect(0, 0, view.stage.width, view.stage.height);
    }
  }

  /** Draw image 0, warped onto image 1: left of the divider, or all of it. */
  private paintOverlay(context: CanvasRenderingContext2D, state: State): void {
    const warped = this.warpedImage();
    if (!warped || (state.mode === "blink" && !state.showsFirst)) return;
    const { width, height } = this.view.stage;
    const end = state.mode === "swipe" ? state.swipe * width : width;
    marks.inPane(context, { ...this.view.pane(1), width: end }, () => warped.paint(context, this.imageRect(1), pixelRatio()));
    context.fillStyle = "#fff";
    if (state.mode === "swipe") context.fillRect(end - 1, 0, 2, height);
  }

  private warpedImage(): Pyramid | null {
    if (!this.warped) {
      const [size0, size1] = this.view.sizes;
      const canvas = warp(this.pictures[0].full, size0, size1, this.pair.data.homography!.matrix);
      this.warped = canvas && Pyramid.of(canvas);
    }
    return this.warped;
  }

  private imageRect(side: number): Rect {
    const [x, y] = this.view.origin(side);
    const scale = this.view.scale(side);
    const { width, height } = this.view.sizes[side];
    return { x, y, width: width * scale, height: height * scale };
  }

  private paintMatches(context: CanvasRenderingContext2D, { state, selection, coloring }: Scene): void {
    const { view, pair } = this;
    const homography = view.isOverlay ? pair.data.homography!.matrix : null;
    this.screen = [marks.screenPoints(view, pair, 0, homography), marks.screenPoints(view, pair, 1, null)];
    if (state.unmatched && !view.isOverlay) for (const side of [0, 1]) marks.drawUnmatched(context, view, pair, side);
    marks.drawLines(context, this.screen[0], this.screen[1], selection, coloring.palette);
    const radius = Math.min(Math.max(1.4 + 0.4 * Math.log2(view.zoom), 1.4), 3);
    for (const side of view.isOverlay ? [1] : [0, 1]) {
      marks.drawPoints(context, this.screen[side], selection.points, coloring.palette, pair, radius);
    }
    this.frames++;
  }

  private paintHovered(context: CanvasRenderingContext2D, { state, target }: Scene): void {
    const { view, pair } = this;
    if (!target) return;
    const fundamental = state.epipolar && !view.isOverlay ? pair.data.estimate?.fundamental : null;
    const values = target.kind === "match" ? pair.points[target.side] : pair.data.keypoints[target.side];
    const point: Point = target.kind === "position" ? [target.x, target.y] : [values[2 * target.index], values[2 * target.index + 1]];
    if (fundamental) marks.drawEpipolarLine(context, view, fundamental, target.side, point);
    if (target.kind === "keypoint") marks.drawRing(context, ...view.toScreen(target.side, ...point), 5);
    if (target.kind === "match") this.paintMatch(context, target.index);
  }

  private paintMatch(context: CanvasRenderingContext2D, k: number): void {
    const ends = this.screen.map((screen): Point => [screen[2 * k], screen[2 * k + 1]]);
    const visible = ends.filter(([x]) => !Number.isNaN(x));
    if (visible.length === 2) marks.drawHighlightedLine(context, ends[0], ends[1]);
    for (const end of visible) marks.drawRing(context, ...end);
  }
}

function pixelRatio(): number {
  return Math.min(window.devicePixelRatio || 1, 2);
}
