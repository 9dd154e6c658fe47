import assert from "node:assert/strict";
import { test } from "node:test";
import { gather, matchAdaptive, matchSingle, type Features, type NamedValues, type Session } from "../src/lightglue";

const SETTINGS = {
  encode: "encode",
  layers: ["layer_0", "layer_1", "layer_2"],
  assign: ["assign_0", "assign_1", "assign_2"],
  depth_confidence: 0.95,
  width_confidence: 0.99,
  pruning_min_keypoints: 0,
  confidence_thresholds: [0.9, 0.85],
};

/** Features whose descriptors are the numbers of the keypoints. */
function features(count: number): Features {
  return {
    keypoints: new Float32Array(2 * count),
    scores: new Float32Array(count),
    descriptors: Float32Array.from({ length: count }, (_, k) => k),
    imageSize: [640, 480],
  };
}

/** Network whose tokens are the descriptors: it looks up confidence and matchability, and matches equal numbers. */
class TableNetwork {
  readonly runs: string[] = [];

  constructor(
    private readonly confidence: (layer: number, token: number) => number,
    private readonly matchability: (layer: number, token: number) => number = () => 1,
  ) {}

  find = (name: string): Session => ({
    run: async (inputs) => {
      this.runs.push(name);
      if (name === "encode") return { tokens: inputs.descriptors, rotation: inputs.descriptors };
      const layer = Number(name.split("_")[1]);
      return name.startsWith("layer") ? this.layer(layer, inputs) : this.assign(inputs);
    },
  });

  private layer(layer: number, { tokens0, tokens1, rotation0, rotation1 }: NamedValues): NamedValues {
    assert.deepEqual([tokens0, tokens1], [rotation0, rotation1], "rotations are gathered as the tokens are");
    const table = (values: NamedValues[string], look: (layer: number, token: number) => number) => {
      const data = Float32Array.from(values.data as Float32Array, (token) => look(layer, token));
      return { dims: [data.length], data };
    };
    return {
      next_tokens0: tokens0, next_tokens1: tokens1,
      confidence0: table(tokens0, this.confidence), confidence1: table(tokens1, this.confidence),
      matchability0: table(tokens0, this.matchability), matchability1: table(tokens1, this.matchability),
    };
  }

  private assign({ tokens0, tokens1 }: NamedValues): NamedValues {
    const others = [...(tokens1.data as Float32Array)];
    const found = [...(tokens0.data as Float32Array)].map((token) => others.indexOf(token));
    return {
      matches0: { dims: [found.length], data: BigInt64Array.from(found, BigInt) },
      matching_scores0: { dims: [found.length], data: Float32Array.from(found, (index) => (index < 0 ? 0 : 0.5)) },
    };
  }
}

test("runs all layers while keypoints are not confident", async () => {
  const network = new TableNetwork(() => 0.5);
  const found = await matchAdaptive(SETTINGS, network.find, [features(3), features(2)]);
  assert.deepEqual(network.runs, ["encode", "encode", "layer_0", "layer_1", "layer_2", "assign_2"]);
  assert.deepEqual([...found.matches], [0, 0, 1, 1]);
  assert.deepEqual([...found.prune[0]], [3, 3, 3]);
  assert.deepEqual([found.layersRun, found.stoppedBy], [3, "last_layer"]);
});

test("stops after the layer in which enough keypoints are confident", async () => {
  const network = new TableNetwork((layer) => (layer === 1 ? 0.86 : 0.89));
  const found = await matchAdaptive(SETTINGS, network.find, [features(3), features(3)]);
  assert.deepEqual(network.runs.slice(-3), ["layer_0", "layer_1", "assign_1"]);
  assert.deepEqual([found.layersRun, found.stoppedBy], [2, "confidence"]);
});

test("a confidence equal to the threshold counts as confident for stopping, not for pruning", async () => {
  const confidence = Math.fround(0.9);
  const stopping = await matchAdaptive(SETTINGS, new TableNetwork(() => confidence).find, [features(2), features(2)]);
  assert.equal(stopping.layersRun, 1);
  const network = new TableNetwork(() => confidence, () => 0);
  const pruning = await matchAdaptive({ ...SETTINGS, depth_confidence: 2 }, network.find, [features(2), features(2)]);
  assert.deepEqual([...pruning.prune[0]], [2, 2]); // kept after layer 0, dropped after layer 1
  assert.deepEqual([pruning.layersRun, pruning.stoppedBy], [2, "no_keypoints"]);
});

test("prunes confident keypoints that are unmatchable, and numbers matches as the keypoints", async () => {
  const isDropped = (token: number) => token % 2 === 0;
  const network = new TableNetwork((_, token) => (isDropped(token) ? 0.95 : 0.1), (_, token) => (isDropped(token) ? 0.005 : 0.5));
  const found = await matchAdaptive({ ...SETTINGS, depth_confidence: 0.99 }, network.find, [features(5), features(6)]);
  assert.deepEqual([...found.matches], [1, 1, 3, 3]);
  assert.deepEqual([...found.prune[0]], [1, 3, 1, 3, 1]);
  assert.deepEqual([...found.prune[1]], [1, 3, 1, 3, 1, 3]);
});

test("does not prune small images", async () => {
  const network = new TableNetwork((_, token) => (token ? 0.1 : 0.95), () => 0);
  const found = await matchAdaptive({ ...SETTINGS, pruning_min_keypoints: 4 }, network.find, [features(4), features(5)]);
  assert.deepEqual([...found.prune[0]], [1, 1, 1, 1]);
  assert.deepEqual([...found.prune[1]], [1, 2, 2, 2, 2]); // small after layer 0, too
});

test("an image without keypoints has no matches, and no graph runs", async () => {
  const network = new TableNetwork(() => 1);
  const found = await matchAdaptive(SETTINGS, network.find, [features(0), features(3)]);
  assert.deepEqual([network.runs.length, found.matches.length, found.layersRun, found.stoppedBy], [0, 0, 0, "no_keypoints"]);
  assert.deepEqual([...found.prune[1]], [1, 1, 1]);
});

test("the single form gets the inputs that it names", async () => {
  const session: Session = {
    run: async (inputs) => {
      assert.deepEqual(Object.keys(inputs), ["descriptors0", "descriptors1"]);
      return {
        matches0: { dims: [3], data: BigInt64Array.of(-1n, 1n, 0n) },
        matching_scores0: { dims: [3], data: Float32Array.of(0.05, 0.5, 0.25) },
      };
    },
  };
  const found = await matchSingle(session, ["descriptors0", "descriptors1"], 0, [features(3), features(2)]);
  assert.deepEqual([...found.matches], [1, 1, 2, 0]);
  assert.deepEqual([...found.scores], [0.5, 0.25]);
  assert.deepEqual([found.layersRun, found.stoppedBy, ...found.prune[0]], [0, "no_layers", 1, 1, 1]);
});

test("rows are gathered in order", () => {
  const values = { dims: [3, 2], data: Float32Array.of(0, 1, 2, 3, 4, 5) };
  assert.deepEqual(gather(values, [2, 0]), { dims: [2, 2], data: Float32Array.of(4, 5, 0, 1) });
});
