// LightGlue of a bundle for one pair: the loop over its layers, with early stopping and pruning, or its single graph.
//
// The loop is that of tiepoint.models.lightglue.inference. Comparisons are in float32, as there: a threshold is rounded
// to float32 before it is compared. Source: LightGlue (arXiv 2306.13643), section 3.3, "Adaptive depth and width".
import type { Adaptive } from "./bundle";

/** Input or output of a graph. */
export interface Values {
  dims: readonly number[];
  data: Float32Array | BigInt64Array;
}

/** Inputs or outputs by name. */
export type NamedValues = Record<string, Values>;

/** One loaded graph. */
export interface Session {
  run(inputs: NamedValues): Promise<NamedValues>;
}

/** Return a graph by its name in the manifest. */
export type FindSession = (name: string) => Session;

/** Features of one image. */
export interface Features {
  /** x, y, x, y, … in px of the image. */
  keypoints: Float32Array;
  scores: Float32Array;
  /** Shape (n, descriptor dimension). */
  descriptors: Float32Array;
  imageSize: readonly [number, number];
}

export type StoppedBy = "last_layer" | "confidence" | "no_keypoints" | "no_layers";

/** Matches of a pair of m and n keypoints. */
export interface Assignment {
  /** Index pairs i, j, i, j, … in ascending order of i. */
  matches: Int32Array;
  scores: Float32Array;
  /** Number of layers after which each keypoint was pruned. */
  prune: [Int32Array, Int32Array];
  layersRun: number;
  stoppedBy: StoppedBy;
}

/** Number of keypoints. */
export function count(features: Features): number {
  return features.keypoints.length / 2;
}

/** Inputs of an image, with the suffix of the image. */
export function inputsOf(features: Features, suffix = ""): NamedValues {
  const n = count(features);
  return {
    [`keypoints${suffix}`]: { dims: [n, 2], data: features.keypoints },
    [`image_size${suffix}`]: { dims: [2], data: Float32Array.from(features.imageSize) },
    [`descriptors${suffix}`]: { dims: [n, n ? features.descriptors.length / n : 0], data: features.descriptors },
  };
}

/**
 * Match a pair with the adaptive form.
 *
 * @param settings Entry of the manifest.
 * @param find Function that returns a graph.
 * @param features Features of image 0 and image 1.
 */
export async function matchAdaptive(
  settings: Adaptive, find: FindSession, features: readonly [Features, Features],
): Promise<Assignment> {
  const pair = new Pair(settings, features.map(count) as [number, number]);
  if (pair.isEmpty) return pair.withoutMatches(0);
  const encode = find(settings.encode);
  for (const image of features) pair.tokens.push(await encode.run(inputsOf(image)));
  const last = settings.layers.length - 1;
  for (let layer = 0; layer < last; layer++) {
    const outputs = await pair.runLayer(find(settings.layers[layer]));
    if (pair.shouldStop(layer, outputs)) {
      return pair.assign(find(settings.assign[layer]), layer + 1, "confidence");
    }
    pair.prune(layer, outputs);
    if (pair.isEmpty) return pair.withoutMatches(layer + 1);
  }
  await pair.runLayer(find(settings.layers[last]));
  return pair.assign(find(settings.assign[last]), last + 1, "last_layer");
}

/** The verbs of the loop, with the tokens that are left. */
class Pair {
  tokens: NamedValues[] = [];
  private readonly indices: Int32Array[];
  private readonly pruneCounts: [Int32Array, Int32Array];

  constructor(
    private readonly settings: Adaptive,
    private readonly counts: [number, number],
  ) {
    this.indices = counts.map((n) => Int32Array.from({ length: n }, (_, k) => k));
    const initial = settings.width_confidence > 0 ? 1 : settings.layers.length;
    this.pruneCounts = counts.map((n) => new Int32Array(n).fill(initial)) as [Int32Array, Int32Array];
  }

  /** Whether an image has no tokens left. */
  get isEmpty(): boolean {
    return this.indices.some((indices) => indices.length === 0);
  }

  /** Run a layer, and keep its tokens. */
  async runLayer(session: Session): Promise<NamedValues> {
    const [image0, image1] = this.tokens;
    const outputs = await session.run({
      tokens0: image0.tokens, tokens1: image1.tokens, rotation0: image0.rotation, rotation1: image1.rotation,
    });
    this.tokens.forEach((tokens, image) => (tokens.tokens = outputs[`next_tokens${image}`]));
    return outputs;
  }

  /** Return whether enough keypoints are confident; pruned ones count as confident. */
  shouldStop(layer: number, outputs: NamedValues): boolean {
    if (this.settings.depth_confidence <= 0) return false;
    const threshold = Math.fround(this.settings.confidence_thresholds[layer]);
    let unsure = 0;
    for (const image of [0, 1]) {
      for (const confidence of floats(outputs[`confidence${image}`])) if (confidence < threshold) unsure++;
    }
    const fraction = Math.fround(1 - Math.fround(unsure / (this.counts[0] + this.counts[1])));
    return fraction > Math.fround(this.settings.depth_confidence);
  }

  /** Drop confident keypoints that are probably unmatchable. */
  prune(layer: number, outputs: NamedValues): void {
    const { width_confidence, depth_confidence, pruning_min_keypoints } = this.settings;
    const minMatchability = Math.fround(1 - width_confidence);
    const threshold = Math.fround(this.settings.confidence_thresholds[layer]);
    this.indices.forEach((indices, image) => {
      if (width_confidence <= 0 || indices.length <= pruning_min_keypoints) return;
      const [matchability, confidence] = ["matchability", "confidence"].map((name) => floats(outputs[name + image]));
      const kept: number[] = [];
      for (let k = 0; k < indices.length; k++) {
        if (matchability[k] > minMatchability || (depth_confidence > 0 && confidence[k] <= threshold)) kept.push(k);
      }
      this.keep(image, kept);
    });
  }

  private keep(image: number, kept: number[]): void {
    const indices = this.indices[image];
    this.indices[image] = Int32Array.from(kept, (k) => indices[k]);
    for (const index of this.indices[image]) this.pruneCounts[image][index]++;
    if (kept.length === indices.length) return;
    const { tokens, rotation } = this.tokens[image];
    this.tokens[image] = { tokens: gather(tokens, kept), rotation: gather(rotation, kept) };
  }

  /** Match the tokens that are left, and number them as the keypoints of the images. */
  async assign(session: Session, layersRun: number, stoppedBy: StoppedBy): Promise<Assignment> {
    const [tokens0, tokens1] = this.tokens.map((tokens) => tokens.tokens);
    const found = listMatches(await session.run({ tokens0, tokens1 }));
    found.matches = found.matches.map((index, k) => this.indices[k % 2][index]);
    return { ...found, prune: this.pruneCounts, layersRun, stoppedBy };
  }

  withoutMatches(layersRun: number): Assignment {
    return {
      matches: new Int32Array(), scores: new Float32Array(), prune: this.pruneCounts, layersRun, stoppedBy: "no_keypoints",
    };
  }
}

/**
 * Match a pair with a single graph, of LightGlue or of nearest neighbors.
 *
 * @param session The graph.
 * @param names Names of its inputs.
 * @param layers Number of layers; 0 without a network.
 * @param features Features of image 0 and image 1.
 */
export async function matchSingle(
  session: Session, names: readonly string[], layers: number, features: readonly [Features, Features],
): Promise<Assignment> {
  const prune = features.map((image) => new Int32Array(count(image)).fill(layers || 1)) as [Int32Array, Int32Array];
  if (features.some((image) => count(image) === 0)) {
    return { matches: new Int32Array(), scores: new Float32Array(), prune, layersRun: 0, stoppedBy: "no_keypoints" };
  }
  const all = { ...inputsOf(features[0], "0"), ...inputsOf(features[1], "1") };
  const found = listMatches(await session.run(Object.fromEntries(names.map((name) => [name, all[name]]))));
  return { ...found, prune, layersRun: layers, stoppedBy: layers ? "last_layer" : "no_layers" };
}

/** List the matches of the outputs `matches0` and `matching_scores0`. */
function listMatches(outputs: NamedValues): { matches: Int32Array; scores: Float32Array } {
  const [matches, scores]: [number[], number[]] = [[], []];
  const scores0 = floats(outputs.matching_scores0);
  outputs.matches0.data.forEach((match: number | bigint, index: number) => {
    if (Number(match) < 0) return;
    matches.push(index, Number(match));
    scores.push(scores0[index]);
  });
  return { matches: Int32Array.from(matches), scores: Float32Array.from(scores) };
}

/** Select rows. */
export function gather(values: Values, rows: readonly number[]): Values {
  const width = values.dims[1];
  const data = new Float32Array(rows.length * width);
  const source = floats(values);
  rows.forEach((row, k) => data.set(source.subarray(row * width, (row + 1) * width), k * width));
  return { dims: [rows.length, width], data };
}

function floats(values: Values): Float32Array {
  return values.data as Float32Array;
}
