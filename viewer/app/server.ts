// Requests to the server of `tiepoint app`; every failure is an Error with one line of text.

/** An error with the HTTP status; 0 if the server did not answer. */
export class ServerError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** An image on the server. */
export interface Upload {
  id: string;
  name: string;
  width: number;
  height: number;
  note: string;
}

/** The state of a job; `result` depends on its kind. */
export interface Job {
  id: string;
  kind: string;
  state: "queued" | "running" | "done" | "failed" | "canceled" | "interrupted";
  stage: string;
  done: number;
  total: number | null;
  position: number;
  error: string;
  result: any;
}

/** What the page needs to know of the server. */
export const config: { has_root: boolean; max_upload_mb: number } = JSON.parse(
  document.getElementById("config")!.textContent!,
);

/** Send a request, and return the JSON of the answer. */
export async function call<T>(path: string, options: RequestInit = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new ServerError("the server does not answer; check whether tiepoint app is running", 0);
  }
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ServerError(value.error ?? `the server answered with status ${answer.status}`, answer.status);
  return value as T;
}

/** Send JSON. */
export function post<T>(path: string, value: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return call<T>(path, { method: "POST", headers, body: JSON.stringify(value) });
}

/** Where an image comes from: a file, a URL, or a path below the root of the server. */
export type Source = { blob: Blob; name: string } | { url: string } | { path: string };

/** Bring an image to the server. */
export async function addImage(source: Source): Promise<Upload> {
  if (!("blob" in source)) return post<Upload>("uploads/from", source);
  if (source.blob.size > config.max_upload_mb * 1e6) {
    const size = (source.blob.size / 1e6).toFixed(1);
    throw new ServerError(`${source.name} has ${size} MB, which exceeds the limit of ${config.max_upload_mb} MB`, 413);
  }
  return call<Upload>(`uploads?name=${encodeURIComponent(source.name)}`, { method: "POST", body: source.blob });
}
