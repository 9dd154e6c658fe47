// Files of the user as pictures: checked before they are decoded.

const MAX_MEGAPIXELS = 50;
const MAX_SHOWN_SIDE = 1600; // px
/** File types that phones offer or convert to. */
export const ACCEPTED = "image/jpeg,image/png,image/webp,image/avif,image/gif,image/bmp";

const SUPPORTED = "JPEG, PNG, WebP, AVIF, GIF or BMP";
const SIGNATURES: readonly (readonly [offset: number, text: string])[] = [
  [0, "\xff\xd8\xff"], [0, "\x89PNG"], [0, "RIFF"], [0, "GIF8"], [0, "BM"], [4, "ftypavif"],
];

/** An image of the user. */
export interface Picture {
  name: string;
  blob: Blob;
  /** Size of the upright image in px. */
  width: number;
  height: number;
  /** The upright image, reduced to at most 1600 px. */
  shown: HTMLCanvasElement;
}

/** Read a file, without decoding it if it is too large. */
export async function readPicture(blob: Blob, name: string): Promise<Picture> {
  const url = URL.createObjectURL(blob);
  try {
    const image = new Image();
    image.src = url;
    await loaded(image, blob, name);
    const { naturalWidth: width, naturalHeight: height } = image;
    checkSize(width, height, name);
    return { name, blob, width, height, shown: reduce(image, width, height) };
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function loaded(image: HTMLImageElement, blob: Blob, name: string): Promise<void> {
  const isKnown = hasKnownSignature(new Uint8Array(await blob.slice(0, 16).arrayBuffer()));
  const isImage = await new Promise<boolean>((resolve) => {
    if (image.complete) return resolve(image.naturalWidth > 0);
    image.onload = () => resolve(true);
    image.onerror = () => resolve(false);
  });
  if (!isKnown) throw new Error(`cannot read ${name}: unsupported format; choose a ${SUPPORTED} file`);
  if (!isImage) throw new Error(`cannot read ${name}: the file is damaged or truncated; export it again`);
}

/** Whether a file begins like an image of a supported format. */
export function hasKnownSignature(start: Uint8Array): boolean {
  return SIGNATURES.some(([offset, text]) => [...text].every((letter, k) => start[offset + k] === letter.charCodeAt(0)));
}

/** Check the size of an image in px. */
export function checkSize(width: number, height: number, name: string): void {
  const megapixels = (width * height) / 1e6;
  if (megapixels > MAX_MEGAPIXELS) {
    throw new Error(
      `${name} has ${width} × ${height} px = ${megapixels.toFixed(1)} megapixels, which exceeds the limit of ` +
        `${MAX_MEGAPIXELS}; resize it`,
    );
  }
}

function reduce(image: HTMLImageElement, width: number, height: number): HTMLCanvasElement {
  const scale = Math.min(1, MAX_SHOWN_SIDE / Math.max(width, height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
  const context = canvas.getContext("2d")!;
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}
