// Masks drawn on an image: outlines of regions, in px of the image.

export interface MaskValue {
  polygons: [number, number][][];
  inside: boolean;
}

const STEP = 4; // px on the screen between two vertices

/** Outlines over a preview; drawing is off until `isDrawing` is set. */
export class MaskEditor {
  readonly canvas = document.createElement("canvas");
  private polygons: [number, number][][] = [];
  private current: [number, number][] | null = null;
  private keepsInside = true;

  /** `size` is the size of the image in px; `onChange` is called after each outline. */
  constructor(
    private readonly size: [number, number],
    private readonly onChange: () => void,
  ) {
    this.canvas.setAttribute("role", "img");
    this.canvas.onpointerdown = (event) => this.begin(event);
    this.canvas.onpointermove = (event) => this.extend(event);
    this.canvas.onpointerup = this.canvas.onpointercancel = () => this.end();
    const scale = Math.min(1, 1200 / Math.max(...size));
    [this.canvas.width, this.canvas.height] = size.map((side) => Math.max(1, Math.round(side * scale)));
    this.draw();
  }

  get isDrawing(): boolean {
    return this.canvas.classList.contains("drawing");
  }

  set isDrawing(value: boolean) {
    this.canvas.classList.toggle("drawing", value);
  }

  set inside(value: boolean) {
    this.keepsInside = value;
    this.draw();
  }

  get value(): MaskValue | null {
    return this.polygons.length ? { polygons: this.polygons, inside: this.keepsInside } : null;
  }

  clear(): void {
    this.polygons = [];
    this.draw();
    this.onChange();
  }

  private begin(event: PointerEvent): void {
    if (!this.isDrawing) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.current = [this.point(event)];
  }

  private extend(event: PointerEvent): void {
    if (!this.current) return;
    const [x, y] = this.current[this.current.length - 1];
    const [nextX, nextY] = this.point(event);
    const step = (STEP * this.size[0]) / Math.max(1, this.canvas.clientWidth);
    if (Math.hypot(nextX - x, nextY - y) >= step) this.current.push([nextX, nextY]);
    this.draw();
  }

  private end(): void {
    if (this.current && this.current.length >= 3) this.polygons.push(this.current);
    this.current = null;
    this.draw();
    this.onChange();
  }

  private point(event: PointerEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    const [width, height] = this.size;
    const x = ((event.clientX - box.left) / box.width) * width - 0.5;
    const y = ((event.clientY - box.top) / box.height) * height - 0.5;
    return [Math.round(10 * x) / 10, Math.round(10 * y) / 10];
  }

  /** Darken what is ignored. */
  private draw(): void {
    const context = this.canvas.getContext("2d")!;
    const { width, height } = this.canvas;
    const scale = width / this.size[0];
    const outlines = this.current ? [...this.polygons, this.current] : this.polygons;
    this.canvas.setAttribute("aria-label", outlines.length ? `Mask of ${outlines.length} regions` : "No mask");
    context.clearRect(0, 0, width, height);
    if (!outlines.length) return;
    const path = new Path2D();
    for (const outline of outlines) {
      outline.forEach(([x, y], k) => path[k ? "lineTo" : "moveTo"]((x + 0.5) * scale, (y + 0.5) * scale));
      path.closePath();
    }
    context.fillStyle = "rgba(0, 0, 0, 0.65)";
    if (this.keepsInside) {
      context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = "destination-out";
      context.fillStyle = "#000";
    }
    context.fill(path);
    context.globalCompositeOperation = "source-over";
    context.strokeStyle = "#7cc0ff";
    context.lineWidth = 3;
    context.stroke(path);
  }
}
