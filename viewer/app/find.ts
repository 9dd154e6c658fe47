// The tab Find: a query against many images, ranked; each result opens in the viewer.
import { element } from "../src/dom";
import type { PairData } from "../src/format";
import { ImageSet } from "./images";
import { Runner } from "./runner";
import { call, ServerError } from "./server";
import { readSettings } from "./settings";
import { button, Slot } from "./slot";

interface Found {
  image: string;
  probability: number;
  same_scene: boolean;
  inliers: number;
  matches: number;
  rotation1: number;
  picture: string;
}

interface RankingResult {
  compared: number;
  found: Found[];
  problems: string[];
}

const find = (id: string) => document.getElementById(id)!;

export function startFind(): void {
  const query = new Slot("Query image", undefined, false);
  const images = new ImageSet("Images to search");
  find("find-query").replaceWith(query.root);
  find("find-images").replaceWith(images.root);
  const runner = new Runner("find", async () => {
    find("find-result").hidden = true;
    const job = await runner.withRetry(
      async () => {
        if (!query.upload) throw new Error("choose a query image first");
        const values = { kind: "find", query: query.upload.id, ...readSettings("find-settings") };
        return runner.run({ ...values, ...(await images.values()) });
      },
      () => Promise.all([query.readAgain(), images.readAgain()]),
    );
    if (job) showRanking(find("find-result"), `jobs/${job.id}`, job.result);
  });
}

function showRanking(target: HTMLElement, path: string, { compared, found, problems }: RankingResult): void {
  const same = found.filter(({ same_scene }) => same_scene).length;
  target.hidden = false;
  target.replaceChildren(
    element("h2", {}, `${same} of ${compared} images show the same scene`),
    element("div", { class: "cards" }, ...found.map((row, k) => card(row, k + 1, path))),
    ...(problems.length ? [element("h3", {}, "Left out"), element("ul", {}, ...problems.map((text) => element("li", {}, text)))] : []),
  );
}

function card(row: Found, rank: number, path: string): HTMLElement {
  const lines = [
    `${row.same_scene ? "same scene" : "another scene"}: ${row.probability.toFixed(2)}`,
    `${row.inliers.toLocaleString("en")} inliers of ${row.matches.toLocaleString("en")} matches`,
    ...(row.rotation1 ? [`rotated by ${row.rotation1}°`] : []),
  ];
  const made = element(
    "button", { class: "pair", type: "button" },
    element("img", { src: row.picture, alt: "" }), element("span", { class: "title" }, `${rank}. ${row.image}`),
    ...lines.map((line) => element("span", { class: "muted" }, line)),
  );
  made.onclick = () => void openViewer(`${path}/viewer?part=${rank}`, row.image);
  return made;
}

async function openViewer(path: string, name: string): Promise<void> {
  const host = element("div", {});
  const close = button("Close", () => dialog.close());
  const dialog = element("dialog", { "aria-label": `Matches with ${name}` }, close, host);
  dialog.onclose = () => {
    window.viewer?.destroy();
    dialog.remove();
  };
  document.body.append(dialog);
  dialog.showModal();
  try {
    window.viewer = await window.TiepointViewer.mount(host, await call<PairData>(path));
    window.viewer.focus();
  } catch (error) {
    host.append(element("p", { class: "problem", role: "alert" }, (error as ServerError).message));
  }
}
