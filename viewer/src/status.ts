// The line below the images: how many matches are shown, and the legend of their colors.
import { plural } from "./caption";
import { layerColor, LEVELS, type Coloring } from "./colors";
import { element } from "./dom";
import type { Selection } from "./marks";
import type { Pair } from "./pair";
import type { State } from "./state";

export class Status {
  private readonly counts = element("span");
  private readonly legend = element("span", { class: "legend" });
  readonly root = element("p", { class: "status" }, this.counts, this.legend);

  constructor(private readonly pair: Pair) {}

  update(state: State, selection: Selection, coloring: Coloring): void {
    this.counts.textContent = this.describe(state, selection);
    const entries = [ramp(coloring.palette, coloring.labels)];
    const layers = this.pair.data.layers_run ?? 0;
    if (state.unmatched && layers) {
      const palette = Array.from({ length: LEVELS }, (_, k) => layerColor((layers * k) / (LEVELS - 1), layers));
      entries.push(ramp(palette, ["unmatched, pruned after layer 1", "not pruned"]));
    }
    this.legend.replaceChildren(...(this.pair.count || state.unmatched ? entries : []));
  }

  private describe(state: State, selection: Selection): string {
    const shown = plural(selection.shown.length, "match", "matches");
    const lines = this.pair.count ? `${shown} shown, ${plural(selection.numLines, "line", "lines")}` : "no matches";
    const inliers = plural(this.pair.data.homography?.num_inliers ?? 0, "inlier", "inliers");
    const warped = `image 0 warped onto image 1 by a homography with ${inliers}`;
    return { side: lines, stacked: lines, swipe: `left of the divider: ${warped}`, blink: `alternating: ${warped}` }[state.mode];
  }
}

function ramp(palette: string[], [low, high]: [string, string]): HTMLElement {
  const bar = element("span", { class: "ramp" });
  const stops = palette.length > 2 ? palette : palette.flatMap((color, k) => [`${color} ${50 * k}%`, `${color} ${50 * k + 50}%`]);
  bar.style.background = `linear-gradient(to right, ${stops.join(",")})`;
  return element("span", {}, `${low} `, bar, ` ${high}`);
}
