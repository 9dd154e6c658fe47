// EXIF orientation of JPEG, PNG and WebP files: browsers apply it, but do not tell it.

const ORIENTATION = 0x0112;

/** Return the EXIF orientation of an encoded image, 1 to 8; missing and invalid values are 1. */
export function exifOrientation(file: Uint8Array): number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  try {
    const start = tiffStart(view);
    return start === null ? 1 : readOrientation(view, start);
  } catch (error) {
    if (error instanceof RangeError) return 1; // truncated
    throw error;
  }
}

function tiffStart(view: DataView): number | null {
  if (view.getUint16(0) === 0xffd8) return inJpeg(view);
  if (view.getUint32(0) === 0x89504e47) return inPng(view);
  return text(view, 0) === "RIFF" && text(view, 8) === "WEBP" ? inWebp(view) : null;
}

function inJpeg(view: DataView): number | null {
  for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xda) return null; // start of scan
    if (marker === 0xe1 && text(view, at + 4) === "Exif") return at + 10;
  }
  return null;
}

function inPng(view: DataView): number | null {
  for (let at = 8; text(view, at + 4) !== "IEND"; at += 12 + view.getUint32(at)) {
    if (text(view, at + 4) === "eXIf") return at + 8;
  }
  return null;
}

function inWebp(view: DataView): number | null {
  for (let at = 12; ; ) {
    const size = view.getUint32(at + 4, true);
    if (text(view, at) === "EXIF") return text(view, at + 8) === "Exif" ? at + 14 : at + 8;
    at += 8 + size + (size % 2);
  }
}

function readOrientation(view: DataView, start: number): number {
  const little = view.getUint16(start) === 0x4949;
  const directory = start + view.getUint32(start + 4, little);
  for (let k = 0; k < view.getUint16(directory, little); k++) {
    const entry = directory + 2 + 12 * k;
    if (view.getUint16(entry, little) !== ORIENTATION) continue;
    const value = view.getUint16(entry + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

function text(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}
