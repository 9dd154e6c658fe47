// The viewer: holds the state and changes it as the user asks; what is drawn follows.
import { captionLines, matchText } from "./caption";
import { Card } from "./card";
import { colorMatches, type Coloring } from "./colors";
import { Controls } from "./controls";
import css from "./viewer.css";
import { element } from "./dom";
import type { PairData } from "./format";
import type { Point } from "./geometry";
import { listenToKeys } from "./keyboard";
import { group, type Selection } from "./marks";
import { Painter, type Scene } from "./painter";
import { Pair } from "./pair";
import { Pyramid } from "./pictures";
import { listen } from "./pointer";
import { initialState, type State } from "./state";
import { Status } from "./status";
import { findTarget, type Target } from "./targets";
import { stageHeight, View, type Mode } from "./view";

const BLINK_MS = 700;

export interface Options {
  /** Whether to show the names of the images above the caption; default: true. */
  title?: boolean;
}

export class Viewer {
  readonly pair: Pair;
  readonly view: View;
  state: State;
  private target: Target | null = null;
  private readonly root = element("section", { class: "viewer" });
  private readonly stage = element("div", { class: "stage", tabindex: 0, role: "application" });
  private readonly spoken = element("p", { class: "hidden", "aria-live": "polite" });
  private readonly controls: Controls;
  private readonly card: Card;
  private readonly resizes = new ResizeObserver(() => this.resize());
  private readonly painter: Painter;
  private readonly status: Status;
  private coloring!: Coloring;
  private selection!: Selection;
  private timer = 0;

  static async create(host: HTMLElement, data: PairData, options: Options): Promise<Viewer> {
    const [first, second] = await Promise.all(data.images.map((image) => Pyramid.load(image)));
    return new Viewer(host, data, options, [first, second]);
  }

  private constructor(host: HTMLElement, data: PairData, options: Options, pictures: [Pyramid, Pyramid]) {
    this.pair = new Pair(data);
    this.view = new View(data.images);
    this.state = initialState(this.pair, host.clientWidth);
    this.controls = new Controls(this.pair, (change) => this.set(change), () => this.reset());
    this.card = new Card(this.pair, pictures);
    this.status = new Status(this.pair);
    this.painter = new Painter(this.pair, this.view, pictures, () => this.scene());
    this.build(host, options);
    this.listen();
    this.set(this.state);
    this.resizes.observe(host);
  }

  /** Number of frames in which matches were drawn. */
  get frames(): number {
    return this.painter.frames;
  }

  /** Change the state, update the controls, and draw again. */
  set(change: Partial<State>): void {
    const previous = this.state;
    this.state = { ...this.state, ...change };
    this.coloring = colorMatches(this.pair, this.state.color);
    const shown = this.pair.select(this.state.minScore, this.state.inliersOnly);
    this.selection = group(shown, this.state.maxLines, this.coloring);
    this.controls.update(this.state);
    this.status.update(this.state, this.selection, this.coloring);
    this.switchMode(previous.mode, this.state.mode);
    this.blink();
    this.painter.draw("images", "matches", "hovered");
  }

  reset(): void {
    this.view.reset();
    this.point(null);
    this.painter.draw("images", "matches");
  }

  focus(): void {
    this.stage.focus();
  }

  destroy(): void {
    this.resizes.disconnect();
    this.painter.stop();
    clearInterval(this.timer);
    this.root.getRootNode() instanceof ShadowRoot ? (this.root.getRootNode() as ShadowRoot).replaceChildren() : this.root.remove();
  }

  private scene(): Scene {
    const { state, selection, coloring, target } = this;
    return { state, selection, coloring, target };
  }

  private build(host: HTMLElement, options: Options): void {
    const names = this.pair.data.images.map((image) => image.name);
    const title = element("p", { class: "names" }, element("bdi", {}, names[0]), " ↔ ", element("bdi", {}, names[1]));
    const caption = element("p", { class: "caption" }, captionLines(this.pair).join(" · "));
    this.root.setAttribute("aria-label", `Matches of ${names[0]} and ${names[1]}`);
    this.stage.setAttribute("aria-label", `Matches of ${names[0]} and ${names[1]}; press N for the next match`);
    this.stage.append(...this.painter.canvases, this.card.root);
    this.root.append(...(options.title === false ? [] : [title]), caption, this.stage, this.status.root, this.controls.root, this.spoken);
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
    this.painter.draw("images", "matches", "hovered");
  }

  private zoom(factor: number, x: number, y: number): void {
    this.view.zoomAt(factor, x, y);
    this.stage.classList.toggle("zoomed", this.view.zoom > 1);
    this.painter.draw("images", "matches", "hovered");
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
    this.painter.draw("images", "matches");
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
    this.painter.draw("hovered");
  }

  private find(x: number, y: number, radius: number): Target {
    const candidates = { shown: this.selection.shown, screen: this.painter.screen, unmatched: this.state.unmatched };
    return findTarget(this.pair, this.view, candidates, x, y, radius);
  }

  private switchMode(from: Mode, to: Mode): void {
    this.view.mode = to;
    if (from === to) return;
    this.reset();
    this.resize();
  }

  private blink(): void {
    clearInterval(this.timer);
    if (this.state.mode !== "blink" || !this.state.isBlinking) return;
    this.timer = window.setInterval(() => {
      this.state.showsFirst = !this.state.showsFirst;
      this.painter.draw("images");
    }, BLINK_MS);
  }

  private resize(): void {
    const width = this.root.clientWidth;
    if (!width) return;
    const limit = Math.max(240, 0.72 * window.innerHeight);
    const height = stageHeight(this.state.mode, width, this.view.sizes, limit);
    this.view.stage = { width, height };
    this.stage.style.height = `${height}px`;
    this.painter.resize(this.view.stage);
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
