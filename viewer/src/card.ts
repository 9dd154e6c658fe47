// The card of a hovered match: both patches, enlarged, and its numbers.
import { keypointText, matchText } from "./caption";
import { element } from "./dom";
import type { Pair } from "./pair";
import type { Pyramid } from "./pictures";
import type { Target } from "./targets";
import type { Size } from "./view";

const PATCH = 96; // px of the screen
const MIN_REGION = 40; // px of the image
const REGION_SHARE = 1 / 24; // of the longer side of the image

export class Card {
  readonly root = element("div", { class: "card", hidden: true });
  private readonly patches = [0, 1].map(() => element("canvas", { width: 2 * PATCH, height: 2 * PATCH }));
  private readonly numbers = element("dl");

  constructor(private readonly pair: Pair, private readonly pictures: [Pyramid, Pyramid]) {
    this.root.append(element("div", { class: "patches" }, ...this.patches), this.numbers);
  }

  show(target: Target | null, x: number, y: number, stage: Size): void {
    this.root.hidden = target === null || target.kind === "position";
    if (target === null || target.kind === "position") return;
    const isMatch = target.kind === "match";
    for (const side of [0, 1]) {
      this.patches[side].hidden = !isMatch && side !== target.side;
      if (!this.patches[side].hidden) this.drawPatch(side, this.point(side, target));
    }
    const rows = isMatch ? matchText(this.pair, target.index) : keypointText(this.pair, target.side, target.index);
    this.numbers.replaceChildren(...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
    this.place(x, y, stage);
  }

  private point(side: number, target: Target & { index: number }): [number, number] {
    const values = target.kind === "match" ? this.pair.points[side] : this.pair.data.keypoints[side];
    return [values[2 * target.index], values[2 * target.index + 1]];
  }

  private drawPatch(side: number, [x, y]: [number, number]): void {
    const { width, height } = this.pair.data.images[side];
    const picture = this.pictures[side].full;
    const region = Math.max(MIN_REGION, Math.max(width, height) * REGION_SHARE);
    const [scaleX, scaleY] = [picture.width / width, picture.height / height];
    const context = this.patches[side].getContext("2d")!;
    context.clearRect(0, 0, 2 * PATCH, 2 * PATCH);
    const [left, top] = [(x + 0.5 - region / 2) * scaleX, (y + 0.5 - region / 2) * scaleY];
    context.drawImage(picture, left, top, region * scaleX, region * scaleY, 0, 0, 2 * PATCH, 2 * PATCH);
    for (const [size, color] of [[9, "#000"], [5, "#fff"]] as const) {
      context.fillStyle = color;
      context.fillRect(PATCH - size / 2, PATCH - 13, size, 9);
      context.fillRect(PATCH - size / 2, PATCH + 4, size, 9);
      context.fillRect(PATCH - 13, PATCH - size / 2, 9, size);
      context.fillRect(PATCH + 4, PATCH - size / 2, 9, size);
    }
  }

  /** Place the card next to a position of the stage, and inside of it. */
  private place(x: number, y: number, stage: Size): void {
    const { offsetWidth, offsetHeight } = this.root;
    const left = x + 18 + offsetWidth > stage.width ? x - 18 - offsetWidth : x + 18;
    const top = y + 18 + offsetHeight > stage.height ? y - 18 - offsetHeight : y + 18;
    this.root.style.left = `${Math.max(4, Math.min(left, stage.width - offsetWidth - 4))}px`;
    this.root.style.top = `${Math.max(4, Math.min(top, stage.height - offsetHeight - 4))}px`;
  }
}
