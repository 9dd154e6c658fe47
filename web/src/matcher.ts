// A loaded bundle: images in, matches and their verification out, with the time per stage.
import { Bundle } from "./bundle";
import { exifOrientation } from "./exif";
import { matchAdaptive, matchSingle, type Assignment, type Features, type Session } from "./lightglue";
import { decode, preprocess } from "./pixels";
import { estimate, type Model } from "./ransac";
import { toOriginal, type Planes } from "./resize";
import { Runtime, type Backend } from "./runtime";
import { correspondences, verify, type Models, type Verification } from "./verification";

const MAX_ERROR_PX = 3; // as tiepoint.geometry.thresholds

/** An encoded image. */
export interface NamedBlob {
  name: string;
  blob: Blob;
}

/** Features of an image, and its EXIF orientation. */
export type ImageFeatures = Features & { name: string; exifOrientation: number };

/** Result of a pair. */
export interface PairResult {
  /** Kind of the features. */
  kind: string;
  features: [ImageFeatures, ImageFeatures];
  assignment: Assignment;
  verification: Verification;
  fundamental: Model | null;
  homography: Model | null;
  maxErrorPx: number;
  /** Time per stage. */
  seconds: Record<string, number>;
}

/** An extractor and a matcher, loaded once and used many times. */
export class Matcher {
  private constructor(
    private readonly bundle: Bundle,
    readonly runtime: Runtime,
    private readonly sessions: ReadonlyMap<string, Session>,
    private readonly models: Models,
  ) {}

  /**
   * Load a bundle and its graphs.
   *
   * @param folder URL of the bundle, with a slash at the end.
   * @param backend Backend of the runtime.
   * @param base URL of the page's folder.
   * @param models Coefficients of pair verification.
   */
  static async load(folder: string, backend: Backend, base: string, models: Models): Promise<Matcher> {
    const [bundle, runtime] = await Promise.all([Bundle.open(folder), Runtime.load(backend, base)]);
    const names = graphNames(bundle);
    const contents = await Promise.all(names.map((name) => bundle.read(name)));
    const sessions = new Map<string, Session>();
    for (const [k, name] of names.entries()) sessions.set(name, await runtime.open(contents[k])); // one after the other
    return new Matcher(bundle, runtime, sessions, models);
  }

  /** Match two images, and verify the matches. */
  async match(images: readonly [NamedBlob, NamedBlob], onStage: (stage: string) => void): Promise<PairResult> {
    const seconds: Record<string, number> = {};
    const time = async <T>(stage: string, work: () => Promise<T>): Promise<T> => {
      onStage(stage);
      const start = performance.now();
      const value = await work();
      seconds[stage] = (seconds[stage] ?? 0) + (performance.now() - start) / 1000;
      return value;
    };
    const features: ImageFeatures[] = [];
    for (const image of images) {
      const pixels = await time("read", () => this.read(image));
      features.push(await time("extract", () => this.extract(image.name, pixels)));
    }
    const pair = features as [ImageFeatures, ImageFeatures];
    const assignment = await time("match", () => this.assign(pair));
    return time("verify", async () => this.conclude(pair, assignment, seconds));
  }

  private async read({ name, blob }: NamedBlob): Promise<Planes & { original: [number, number]; orientation: number }> {
    const bitmap = await decode(blob, name);
    const planes = await preprocess(bitmap, name, this.bundle.manifest.extractor.preprocessing);
    const original: [number, number] = [bitmap.width, bitmap.height];
    bitmap.close();
    return { ...planes, original, orientation: exifOrientation(new Uint8Array(await blob.arrayBuffer())) };
  }

  private async extract(
    name: string, { data, size, original, orientation }: Planes & { original: [number, number]; orientation: number },
  ): Promise<ImageFeatures> {
    const entry = this.bundle.manifest.extractor;
    const session = this.sessions.get(entry.graph)!;
    const limit = { dims: [], data: BigInt64Array.of(BigInt(entry.max_keypoints ?? Number.MAX_SAFE_INTEGER)) };
    const outputs = await session.run({
      image: { dims: [1, 3, size[1], size[0]], data },
      ...(entry.fixed_keypoints ? {} : { max_keypoints: limit }),
    });
    const [keypoints, scores, descriptors] = ["keypoints", "scores", "descriptors"].map(
      (output) => outputs[output].data as Float32Array,
    );
    const kept = entry.fixed_keypoints ? scores.filter((score) => score > 0).length : scores.length; // without padding
    return {
      name,
      exifOrientation: orientation,
      imageSize: original,
      keypoints: toOriginal(keypoints.slice(0, 2 * kept), original, size),
      scores: scores.slice(0, kept),
      descriptors: descriptors.slice(0, entry.descriptor_dim * kept),
    };
  }

  private async assign(features: [Features, Features]): Promise<Assignment> {
    const { adaptive, single, layers } = this.bundle.manifest.matcher;
    if (adaptive) return matchAdaptive(adaptive, (name) => this.sessions.get(name)!, features);
    const names = this.bundle.inputs(single!).map((input) => input.name);
    return matchSingle(this.sessions.get(single!)!, names, layers, features);
  }

  private conclude(
    features: [ImageFeatures, ImageFeatures], assignment: Assignment, seconds: Record<string, number>,
  ): PairResult {
    const { kind } = this.bundle.manifest.extractor;
    const matches = correspondences(assignment, features);
    return {
      kind,
      features,
      assignment,
      verification: verify(assignment, features, kind, this.models),
      fundamental: estimate("fundamental", matches, MAX_ERROR_PX),
      homography: estimate("homography", matches, MAX_ERROR_PX),
      maxErrorPx: MAX_ERROR_PX,
      seconds,
    };
  }
}

function graphNames({ manifest: { extractor, matcher } }: Bundle): string[] {
  const { adaptive, single } = matcher;
  return [extractor.graph, ...(adaptive ? [adaptive.encode, ...adaptive.layers, ...adaptive.assign] : [single!])];
}
