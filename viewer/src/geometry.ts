// Homographies and epipolar lines. Points are (x, y) in px; the center of the top-left pixel is (0, 0).

/** 3x3 matrix in row-major order. */
export type Matrix = readonly number[];
export type Point = readonly [number, number];
/** Line a x + b y + c = 0. */
export type Line = readonly [number, number, number];

/** Multiply a matrix with the homogeneous point (x, y, 1). */
export function multiply(m: Matrix, x: number, y: number): Line {
  return [m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5], m[6] * x + m[7] * y + m[8]];
}

/** Apply a homography; null for points that are mapped to infinity or behind the camera. */
export function project(homography: Matrix, x: number, y: number): Point | null {
  const [u, v, w] = multiply(homography, x, y);
  return w > 1e-12 ? [u / w, v / w] : null;
}

export function transpose(m: Matrix): Matrix {
  return [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];
}

export function determinant(m: Matrix): number {
  return (
    m[0] * (m[4] * m[8] - m[5] * m[7]) -
    m[1] * (m[3] * m[8] - m[5] * m[6]) +
    m[2] * (m[3] * m[7] - m[4] * m[6])
  );
}

/** Invert a matrix; null if it is singular. The signs keep points in front of the camera in front. */
export function invert(m: Matrix): Matrix | null {
  const det = determinant(m);
  if (!Number.isFinite(1 / det)) return null;
  return [
    m[4] * m[8] - m[5] * m[7],
    m[2] * m[7] - m[1] * m[8],
    m[1] * m[5] - m[2] * m[4],
    m[5] * m[6] - m[3] * m[8],
    m[0] * m[8] - m[2] * m[6],
    m[2] * m[3] - m[0] * m[5],
    m[3] * m[7] - m[4] * m[6],
    m[1] * m[6] - m[0] * m[7],
    m[0] * m[4] - m[1] * m[3],
  ].map((value) => value / det);
}

/** Return the part of a line inside an image of the given size; null if there is none. */
export function clipLine([a, b, c]: Line, width: number, height: number): [Point, Point] | null {
  const [left, top, right, bottom] = [-0.5, -0.5, width - 0.5, height - 0.5];
  const found: Point[] = [];
  const add = (x: number, y: number) => {
    const inside = x >= left - 1e-9 && x <= right + 1e-9 && y >= top - 1e-9 && y <= bottom + 1e-9;
    if (inside) found.push([x, y]);
  };
  for (const x of [left, right]) if (b) add(x, -(a * x + c) / b);
  for (const y of [top, bottom]) if (a) add(-(b * y + c) / a, y);
  found.sort((p, q) => p[0] - q[0] || p[1] - q[1]);
  const [start, end] = [found[0], found[found.length - 1]];
  return found.length > 1 && Math.hypot(end[0] - start[0], end[1] - start[1]) > 1e-6 ? [start, end] : null;
}
