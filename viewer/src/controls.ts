// The toolbar: every control reads and sets one field of the state.
import { number } from "./caption";
import type { ColorBy } from "./colors";
import { element } from "./dom";
import type { Pair } from "./pair";
import { lowestScore, type State } from "./state";
import type { Mode } from "./view";

type Change = (change: Partial<State>) => void;

const MODES: [Mode, string][] = [["side", "Side by side"], ["stacked", "Stacked"], ["swipe", "Swipe"], ["blink", "Blink"]];
const COLORS: [ColorBy, string][] = [["inlier", "inlier"], ["score", "score"], ["displacement", "displacement"], ["error", "error"]];
const KEYS =
  "Arrow keys: pan. + and -: zoom. 0: reset. N and P: next and previous match. M: view. C: color. I: inliers only. " +
  "U: unmatched keypoints. E: epipolar line. [ and ]: fewer and more lines. Space: blink.";

export class Controls {
  readonly root = element("div", { class: "toolbar" });
  private readonly updates: ((state: State) => void)[] = [];

  constructor(private readonly pair: Pair, private readonly change: Change, reset: () => void) {
    const { estimate, homography } = pair.data;
    this.addModes(homography ? MODES : MODES.slice(0, 2));
    this.addColors();
    this.addScore();
    this.addLines();
    if (estimate && !estimate.reason) this.addCheckbox("inliersOnly", "Inliers only");
    this.addCheckbox("unmatched", "Unmatched keypoints");
    if (estimate?.fundamental) this.addCheckbox("epipolar", "Epipolar line");
    this.addSwipe();
    this.addBlink();
    const button = element("button", { type: "button" }, "Reset view");
    button.addEventListener("click", reset);
    this.root.append(button, element("details", {}, element("summary", {}, "Keys"), element("p", {}, KEYS)));
  }

  update(state: State): void {
    for (const update of this.updates) update(state);
  }

  private addModes(modes: [Mode, string][]): void {
    const group = element("fieldset", { class: "modes" }, element("legend", {}, "View"));
    for (const [mode, label] of modes) {
      const input = element("input", { type: "radio", name: "mode", value: mode });
      input.addEventListener("change", () => this.change({ mode }));
      this.updates.push((state) => void (input.checked = state.mode === mode));
      group.append(element("label", {}, input, element("span", {}, label)));
    }
    this.root.append(group);
  }

  private addColors(): void {
    const available = COLORS.filter(([by]) => this.pair.errors || !["inlier", "error"].includes(by));
    const select = element("select", {}, ...available.map(([by, label]) => element("option", { value: by }, label)));
    select.addEventListener("change", () => this.change({ color: select.value as ColorBy }));
    this.updates.push((state) => void (select.value = state.color));
    this.root.append(element("label", {}, "Color ", select));
  }

  private addScore(): void {
    const low = lowestScore(this.pair);
    const slide = this.addSlider("Score", { min: low, max: 1, step: 0.01 }, (minScore) => ({ minScore }));
    this.updates.push(({ minScore }) => slide(minScore, `≥ ${minScore.toFixed(2)}`));
  }

  private addLines(): void {
    const slide = this.addSlider("Lines", { min: 0, max: this.pair.count, step: 1 }, (maxLines) => ({ maxLines }));
    this.updates.push(({ maxLines }) => slide(maxLines, number(maxLines)));
  }

  private addSlider(
    label: string, range: Record<string, number>, change: (value: number) => Partial<State>,
  ): (value: number, text: string) => void {
    const input = element("input", { type: "range", ...range });
    const output = element("output");
    input.addEventListener("input", () => this.change(change(Number(input.value))));
    this.root.append(element("label", { class: "slider" }, `${label} `, input, output));
    return (value, text) => {
      input.value = String(value);
      input.setAttribute("aria-valuetext", text);
      output.textContent = text;
    };
  }

  private addCheckbox(name: "inliersOnly" | "unmatched" | "epipolar", label: string): void {
    const input = element("input", { type: "checkbox" });
    input.addEventListener("change", () => this.change({ [name]: input.checked }));
    const whole = element("label", {}, input, ` ${label}`);
    this.updates.push((state) => {
      input.checked = state[name];
      whole.hidden = name !== "inliersOnly" && ["swipe", "blink"].includes(state.mode);
    });
    this.root.append(whole);
  }

  private addSwipe(): void {
    const slide = this.addSlider("Divider", { min: 0, max: 1, step: 0.005 }, (swipe) => ({ swipe }));
    const label = this.root.lastElementChild as HTMLElement;
    this.updates.push(({ mode, swipe }) => {
      label.hidden = mode !== "swipe";
      slide(swipe, `${Math.round(100 * swipe)} %`);
    });
  }

  private addBlink(): void {
    const button = element("button", { type: "button" });
    button.addEventListener("click", () => this.change({ isBlinking: button.textContent === "Blink" }));
    this.updates.push(({ mode, isBlinking }) => {
      button.hidden = mode !== "blink";
      button.textContent = isBlinking ? "Stop" : "Blink";
    });
    this.root.append(button);
  }
}
