// Pictures of a pair as canvases in several sizes, and image 0 warped onto image 1.
import type { ImageEntry, Picture } from "./format";
import { invert, multiply, type Matrix } from "./geometry";
import type { Rect, Size } from "./view";

const MAX_WARPED_SIDE = 1400; // px
const MIN_LEVEL_SIDE = 160; // px

/** A picture and its halves, quarters, …: drawing a reduced one is fast, and does not alias. */
export class Pyramid {
  private constructor(private readonly levels: HTMLCanvasElement[]) {}

  static async load(entry: ImageEntry): Promise<Pyramid> {
    const picture = await decode(entry.src, entry.name);
    const levels = [draw(picture, sizeOf(picture))];
    for (let last = levels[0]; Math.max(last.width, last.height) > 2 * MIN_LEVEL_SIDE; last = levels[levels.length - 1]) {
      levels.push(draw(last, { width: Math.ceil(last.width / 2), height: Math.ceil(last.height / 2) }));
    }
    return new Pyramid(levels);
  }

  static of(canvas: HTMLCanvasElement): Pyramid {
    return new Pyramid([canvas]);
  }

  get full(): HTMLCanvasElement {
    return this.levels[0];
  }

  /** Draw the whole picture into a rectangle. */
  paint(context: CanvasRenderingContext2D, { x, y, width, height }: Rect, pixelRatio: number): void {
    const enough = this.levels.filter((level) => level.width >= 0.75 * width * pixelRatio);
    const level = enough[enough.length - 1] ?? this.full;
    context.imageSmoothingEnabled = width * pixelRatio < 4 * level.width;
    context.drawImage(level, x, y, width, height);
  }
}

/** Warp picture 0 into the pixels of image 1; transparent where there is none. */
export function warp(source: HTMLCanvasElement, size0: Size, size1: Size, homography: Matrix): HTMLCanvasElement | null {
  const inverse = invert(homography);
  if (!inverse) return null;
  const reduction = Math.min(1, MAX_WARPED_SIDE / Math.max(size1.width, size1.height));
  const target = canvasOf({ width: Math.round(size1.width * reduction), height: Math.round(size1.height * reduction) });
  const context = target.getContext("2d")!;
  const from = source.getContext("2d")!.getImageData(0, 0, source.width, source.height);
  const to = context.createImageData(target.width, target.height);
  const [scaleX, scaleY] = [source.width / size0.width, source.height / size0.height];
  for (let row = 0; row < target.height; row++) {
    const y = ((row + 0.5) * size1.height) / target.height - 0.5;
    for (let column = 0; column < target.width; column++) {
      const [u, v, w] = multiply(inverse, ((column + 0.5) * size1.width) / target.width - 0.5, y);
      if (w <= 0) continue; // behind the camera
      sample(from, (u / w + 0.5) * scaleX - 0.5, (v / w + 0.5) * scaleY - 0.5, to.data, 4 * (row * target.width + column));
    }
  }
  context.putImageData(to, 0, 0);
  return target;
}

/** Write the bilinearly interpolated color at (x, y); nothing outside of the image. */
function sample(image: ImageData, x: number, y: number, target: Uint8ClampedArray, at: number): void {
  const { width, height, data } = image;
  if (!(x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5)) return;
  const left = Math.min(Math.max(Math.floor(x), 0), Math.max(width - 2, 0));
  const top = Math.min(Math.max(Math.floor(y), 0), Math.max(height - 2, 0));
  const [fx, fy] = [Math.min(Math.max(x - left, 0), 1), Math.min(Math.max(y - top, 0), 1)];
  const [right, below] = [left + 1 < width ? 4 : 0, top + 1 < height ? 4 * width : 0];
  const first = 4 * (top * width + left);
  for (let channel = 0; channel < 3; channel++) {
    const k = first + channel;
    const upper = data[k] + fx * (data[k + right] - data[k]);
    const lower = data[k + below] + fx * (data[k + below + right] - data[k + below]);
    target[at + channel] = upper + fy * (lower - upper);
  }
  target[at + 3] = 255;
}

async function decode(picture: Picture, name: string): Promise<CanvasImageSource> {
  if (typeof picture !== "string") return picture;
  const image = new Image();
  image.src = picture;
  try {
    await image.decode();
  } catch {
    throw new Error(`cannot show ${name}: the browser cannot decode its picture`);
  }
  return image;
}

function sizeOf(picture: CanvasImageSource): Size {
  const { naturalWidth, naturalHeight } = picture as HTMLImageElement;
  const { width, height } = picture as HTMLCanvasElement;
  return { width: naturalWidth || width, height: naturalHeight || height };
}

function draw(picture: CanvasImageSource, size: Size): HTMLCanvasElement {
  const canvas = canvasOf(size);
  canvas.getContext("2d", { willReadFrequently: true })!.drawImage(picture, 0, 0, size.width, size.height);
  return canvas;
}

function canvasOf({ width, height }: Size): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(width, 1);
  canvas.height = Math.max(height, 1);
  return canvas;
}
