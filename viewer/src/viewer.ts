// The viewer: holds the state, and draws three canvases: images, matches, and what is hovered.
import { captionLines, matchText, plural } from "./caption";
import { Card, type Target } from "./card";
import { colorMatches, layerColor, LEVELS, type Coloring } from "./colors";
import { Controls } from "./controls";
import css from "./viewer.css";
import { element } from "./dom";
import type { PairData } from "./format";
import type { Point } from "./geometry";
import { listenToKeys } from "./keyboard";
import * as marks from "./marks";
import { Pair } from "./pair";
import { Pyramid, warp } from "./pictures";
import { listen } from "./pointer";
import { initialState, type State } from "./state";
import { stageHeight, View, type Mode } from "./view";

const BLINK_MS = 700;
const LAYERS = ["images", "matches", "hovered"] as const;
type Layer = (typeof LAYERS)[number];

export interface Options {
  /** Whether to show the names of the images above the caption; default: true. */
  title?: boolean;
}

export class Viewer {
  readonly pair: Pair;
  readonly view: View;
  state: State;
  target: Target | null = null;
  /** Number of frames in which matches were drawn. */
  frames = 0;
  private readonly root = element("section", { class: "viewer" });
  private readonly stage = element("div", { class: "stage", tabindex: 0, role: "application" });
  private readonly canvases = Object.fromEntries(
    LAYERS.map((layer) => [layer, element("canvas", { "aria-hidden": "true" })]),
  ) as Record<Layer, HTMLCanvasElement>;
  private readonly counts = element("span");
  private readonly legend = element("span", { class: "legend" });
  private readonly spoken = element("p", { class: "hidden", "aria-live": "polite" });
  private readonly controls: Controls;
  private readonly card: Card;
  private readonly resizes = new ResizeObserver(() => this.resize());
  private readonly dirty = new Set<Layer>();
  private warped: Pyramid | null = null;
  private coloring!: Coloring;
  private selection!: marks.Selection;
  private screen: [Float32Array, Float32Array] = [new Float32Array(0), new Float32Array(0)];
  private request = 0;
  private timer = 0;

  static async create(host: HTMLElement, data: PairData, options: Options): Promise<Viewer> {
    const [first, second] = await Promise.all(data.images.map((image) => Pyramid.load(image)));
    return new Viewer(host, data, options, [first, second]);
  }

  private constructor(host: HTMLElement, data: PairData, options: Options, private readonly pictures: [Pyramid, Pyramid]) {
    this.pair = new Pair(data);
    this.view = new View(data.images);
    this.state = initialState(this.pair, host.clientWidth);
    this.controls = new Controls(this.pair, (change) => this.set(change), () => this.reset());
    this.card = new Card(this.pair, pictures);
    this.build(host, options);
    this.listen();
    this.set(this.state);
    this.resizes.observe(host);
  }

  /** Change the state, update the controls, and draw again. */
  set(change: Partial<State>): void {
    const previous = this.state;
    this.state = { ...this.state, ...change };
    this.coloring = colorMatches(this.pair, this.state.color);
    const shown = this.pair.select(this.state.minScore, this.state.inliersOnly);
    this.selection = marks.group(shown, this.state.maxLines, this.coloring);
    this.controls.update(this.state);
    this.describe();
    this.switchMode(previous.mode, this.state.mode);
    this.blink();
    this.draw("images", "matches", "hovered");
  }

  reset(): void {
    this.view.reset();
    this.point(null);
    this.draw("images", "matches");
  }

  focus(): void {
    this.stage.focus();
  }

  destroy(): void {
    this.resizes.disconnect();
    cancelAnimationFrame(this.request);
    clearInterval(this.timer);
    this.root.getRootNode() instanceof ShadowRoot ? (this.root.getRootNode() as ShadowRoot).replaceChildren() : this.root.remove();
  }

  private build(host: HTMLElement, options: Options): void {
    const names = this.pair.data.images.map((image) => image.name);
    const title = element("p", { class: "names" }, element("bdi", {}, names[0]), " ↔ ", element("bdi", {}, names[1]));
    const caption = element("p", { class: "caption" }, captionLines(this.pair).join(" · "));
    this.root.setAttribute("aria-label", `Matches of ${names[0]} and ${names[1]}`);
    this.stage.setAttribute("aria-label", `Matches of ${names[0]} and ${names[1]}; press N for the next match`);
    this.stage.append(...Object.values(this.canvases), this.card.root);
    const status = element("p", { class: "status" }, this.counts, this.legend);
    this.root.append(...(options.title === false ? [] : [title]), caption, this.stage, status, this.controls.root, this.spoken);
    const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    shadow.replaceChildren(element("style", {}, css), this.root);
  }

  private listen(): void {
    listen(this.stage, {
      pan: (dx, dy, x, y) => this.drag(dx, dy, x, y),
      zoom: (factor, x, y) => this.zoom(factor, x, y),
      hover: (x, y, radius) => this.point(this.find(x, y, radius), [x, y]),
      leave: () => this.point(null),
    });
    listenToKeys(this.root, this.stage, {
      pan: (dx, dy) => this.pan(dx, dy, 0),
      zoom: (factor) => {
        const { x, y, width, height } = this.view.pane(0);
        this.zoom(factor, x + width / 2, y + height / 2);
      },
      reset: () => this.reset(),
      step: (by) => this.step(by),
      cycleMode: () => this.cycle("mode"),
      cycleColor: () => this.cycle("color"),
      toggle: (name) => this.toggle(name),
      scaleLines: (factor) => this.scaleLines(factor),
      blink: () => this.set({ showsFirst: !this.state.showsFirst, isBlinking: false }),
      clear: () => this.clear(),
    });
  }

  private drag(dx: number, dy: number, x: number, y: number): void {
    if (this.state.mode === "swipe" && this.view.zoom === 1) this.set({ swipe: clamp(x / this.view.stage.width, 0, 1) });
    else this.pan(dx, dy, this.view.sideAt(x, y));
  }

  private pan(dx: number, dy: number, side: number): void {
    this.view.pan(dx, dy, side);
    this.draw("images", "matches", "hovered");
  }

  private zoom(factor: number, x: number, y: number): void {
    this.view.zoomAt(factor, x, y);
    this.stage.classList.toggle("zoomed", this.view.zoom > 1);
    this.draw("images", "matches", "hovered");
  }

  /** Go to the next available mode or color. */
  private cycle(name: "mode" | "color"): void {
    const selector = name === "mode" ? "input[name=mode]" : "select option";
    const values = [...this.root.querySelectorAll<HTMLInputElement>(selector)].map((input) => input.value);
    this.set({ [name]: values[(values.indexOf(this.state[name]) + 1) % values.length] });
  }

  private toggle(name: "inliersOnly" | "unmatched" | "epipolar"): void {
    if (name !== "inliersOnly" || this.pair.errors) this.set({ [name]: !this.state[name] });
  }

  private scaleLines(factor: number): void {
    const lines = Math.round(this.state.maxLines * factor) + Math.sign(factor - 1);
    this.set({ maxLines: clamp(lines, 0, this.pair.count) });
  }

  /** Select the next or previous match that is drawn, and say it. */
  private step(by: 1 | -1): void {
    const { shown } = this.selection;
    if (!shown.length) return;
    const at = this.target?.kind === "match" ? shown.indexOf(this.target.index) : by > 0 ? -1 : 0;
    const index = shown[(at + by + shown.length) % shown.length];
    const side = this.view.isOverlay ? 1 : 0;
    const point: Point = [this.pair.points[side][2 * index], this.pair.points[side][2 * index + 1]];
    if (this.view.zoom > 1) this.view.centerOn(side, ...point);
    this.point({ kind: "match", side, index }, this.view.toScreen(side, ...point));
    this.spoken.textContent = matchText(this.pair, index).map((row) => row.join(" ")).join(", ");
    this.draw("images", "matches");
  }

  private clear(): boolean {
    const wasSelected = this.target !== null && this.target.kind !== "position";
    this.point(null);
    return wasSelected;
  }

  /** Set what is hovered or selected. */
  private point(target: Target | null, position: Point = [0, 0]): void {
    this.target = target;
    this.card.show(target, ...position, this.view.stage);
    this.draw("hovered");
  }

  /** Return the nearest match or keypoint within a radius, else the position itself. */
  private find(x: number, y: number, radius: number): Target {
    const side = this.view.sideAt(x, y);
    const nearest = { distance: radius, target: null as Target | null };
    const consider = (kind: "match" | "keypoint", index: number, px: number, py: number) => {
      const distance = Math.hypot(px - x, py - y);
      if (distance < nearest.distance) Object.assign(nearest, { distance, target: { kind, side, index } });
    };
    const screen = this.screen[side];
    for (const k of this.selection.shown) consider("match", k, screen[2 * k], screen[2 * k + 1]);
    if (!nearest.target && this.state.unmatched && !this.view.isOverlay) {
      const keypoints = this.pair.data.keypoints[side];
      for (const k of this.pair.unmatched[side]) {
        consider("keypoint", k, ...this.view.toScreen(side, keypoints[2 * k], keypoints[2 * k + 1]));
      }
    }
    const [imageX, imageY] = this.view.toImage(side, x, y);
    return nearest.target ?? { kind: "position", side, x: imageX, y: imageY };
  }

  private switchMode(from: Mode, to: Mode): void {
    this.view.mode = to;
    if (this.view.isOverlay && !this.warped) {
      const [size0, size1] = this.view.sizes;
      const canvas = warp(this.pictures[0].full, size0, size1, this.pair.data.homography!.matrix);
      this.warped = canvas && Pyramid.of(canvas);
    }
    if (from === to) return;
    this.reset();
    this.resize();
  }

  private blink(): void {
    clearInterval(this.timer);
    if (this.state.mode !== "blink" || !this.state.isBlinking) return;
    this.timer = window.setInterval(() => {
      this.state.showsFirst = !this.state.showsFirst;
      this.draw("images");
    }, BLINK_MS);
  }

  private resize(): void {
    const width = this.root.clientWidth;
    if (!width) return;
    const limit = Math.max(240, 0.72 * window.innerHeight);
    const height = stageHeight(this.state.mode, width, this.view.sizes, limit);
    this.view.stage = { width, height };
    this.stage.style.height = `${height}px`;
    for (const canvas of Object.values(this.canvases)) {
      canvas.width = Math.round(width * pixelRatio());
      canvas.height = Math.round(height * pixelRatio());
    }
    this.draw("images", "matches", "hovered");
  }

  private draw(...layers: Layer[]): void {
    for (const layer of layers) this.dirty.add(layer);
    if (!this.request) this.request = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    this.request = 0;
    const painters = { images: this.paintImages, matches: this.paintMatches, hovered: this.paintHovered };
    for (const layer of LAYERS) {
      if (!this.dirty.has(layer)) continue;
      const context = this.canvases[layer].getContext("2d")!;
      context.setTransform(pixelRatio(), 0, 0, pixelRatio(), 0, 0);
      context.clearRect(0, 0, this.view.stage.width, this.view.stage.height);
      painters[layer].call(this, context);
    }
    this.dirty.clear();
  }

  private paintImages(context: CanvasRenderingContext2D): void {
    const { view, state } = this;
    for (const side of view.isOverlay ? [1] : [0, 1]) {
      marks.inPane(context, view.pane(side), () => this.pictures[side].paint(context, this.imageRect(side), pixelRatio()));
    }
    if (!view.isOverlay) {
      context.fillStyle = "rgba(0,0,0,0.25)"; // the colors of the matches stand out
      context.fillRect(0, 0, view.stage.width, view.stage.height);
    } else if (this.warped && (state.mode === "swipe" || state.showsFirst)) {
      const width = state.mode === "swipe" ? state.swipe * view.stage.width : view.stage.width;
      const pane = { ...view.pane(1), width };
      marks.inPane(context, pane, () => this.warped!.paint(context, this.imageRect(1), pixelRatio()));
      context.fillStyle = "#fff";
      if (state.mode === "swipe") context.fillRect(width - 1, 0, 2, view.stage.height);
    }
  }

  private imageRect(side: number) {
    const [x, y] = this.view.origin(side);
    const scale = this.view.scale(side);
    const { width, height } = this.view.sizes[side];
    return { x, y, width: width * scale, height: height * scale };
  }

  private paintMatches(context: CanvasRenderingContext2D): void {
    const { view, pair, selection, coloring } = this;
    const homography = view.isOverlay ? pair.data.homography!.matrix : null;
    this.screen = [marks.screenPoints(view, pair, 0, homography), marks.screenPoints(view, pair, 1, null)];
    if (this.state.unmatched && !view.isOverlay) for (const side of [0, 1]) marks.drawUnmatched(context, view, pair, side);
    marks.drawLines(context, this.screen[0], this.screen[1], selection, coloring.palette);
    const radius = clamp(1.4 + 0.4 * Math.log2(view.zoom), 1.4, 3);
    for (const side of view.isOverlay ? [1] : [0, 1]) {
      marks.drawPoints(context, this.screen[side], selection.points, coloring.palette, pair, radius);
    }
    this.frames++;
  }

  private paintHovered(context: CanvasRenderingContext2D): void {
    const { target, view, pair } = this;
    if (!target) return;
    const fundamental = this.state.epipolar && !view.isOverlay ? pair.data.estimate?.fundamental : null;
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

  /** Update counts and legend. */
  private describe(): void {
    const { selection, coloring, pair, state } = this;
    const shown = plural(selection.shown.length, "match", "matches");
    const lines = `${shown} shown, ${plural(selection.numLines, "line", "lines")}`;
    const warped = `image 0 warped onto image 1 by a homography with ${plural(pair.data.homography?.num_inliers ?? 0, "inlier", "inliers")}`;
    this.counts.textContent = {
      side: pair.count ? lines : "no matches",
      stacked: pair.count ? lines : "no matches",
      swipe: `left of the divider: ${warped}`,
      blink: `alternating: ${warped}`,
    }[state.mode];
    const entries = [ramp(coloring.palette, coloring.labels)];
    const layers = pair.data.layers_run ?? 0;
    if (state.unmatched && layers) {
      const palette = Array.from({ length: LEVELS }, (_, k) => layerColor((layers * k) / (LEVELS - 1), layers));
      entries.push(ramp(palette, ["unmatched, pruned after layer 1", "not pruned"]));
    }
    this.legend.replaceChildren(...(pair.count || state.unmatched ? entries : []));
  }
}

function ramp(palette: string[], [low, high]: [string, string]): HTMLElement {
  const bar = element("span", { class: "ramp" });
  const stops = palette.length > 2 ? palette : palette.flatMap((color, k) => [`${color} ${50 * k}%`, `${color} ${50 * k + 50}%`]);
  bar.style.background = `linear-gradient(to right, ${stops.join(",")})`;
  return element("span", {}, `${low} `, bar, ` ${high}`);
}

function pixelRatio(): number {
  return Math.min(window.devicePixelRatio || 1, 2);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
