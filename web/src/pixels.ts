// From an encoded image to the input of the extractor.
import type { Manifest } from "./bundle";
import { fitSize, resizeStrips, type Planes, type Size, type Strip } from "./resize";

const STRIP_PIXELS = 1 << 20;

/** Decode an image, with its EXIF orientation applied and its values as they are in the file. */
export async function decode(image: Blob, name: string): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(image, {
      imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "none",
    });
  } catch {
    throw new Error(`cannot read ${name}: the file is damaged or truncated; export it again`);
  }
}

/** Resize a decoded image to the input of an extractor. */
export async function preprocess(
  bitmap: ImageBitmap, name: string, rules: Manifest["extractor"]["preprocessing"],
): Promise<Planes> {
  const size: Size = [bitmap.width, bitmap.height];
  const target = rules.fixed_size ?? fitSize(size, rules.resize, rules.upscale, rules.size_multiple);
  if (Math.min(...target) < rules.min_side) {
    throw new Error(
      `${name} has ${size.join(" × ")} px, of which the extractor gets ${target.join(" × ")}; it needs at least ` +
        `${rules.min_side} px per side`,
    );
  }
  return resizeStrips(strips(bitmap), size, target);
}

/** Read a bitmap strip by strip: a canvas of its whole size may be larger than a browser allows. */
function* strips(bitmap: ImageBitmap): Iterable<Strip> {
  const rows = Math.min(bitmap.height, Math.max(1, Math.floor(STRIP_PIXELS / bitmap.width)));
  const canvas = new OffscreenCanvas(bitmap.width, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  for (let top = 0; top < bitmap.height; top += rows) {
    const height = Math.min(rows, bitmap.height - top);
    context.clearRect(0, 0, bitmap.width, rows);
    context.drawImage(bitmap, 0, -top);
    yield { top, rows: height, rgba: context.getImageData(0, 0, bitmap.width, height).data };
  }
}
