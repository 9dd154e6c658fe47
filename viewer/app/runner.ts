// One job of a tab: start, progress, cancel, and what happens if the server stops in between.
import { call, post, ServerError, type Job } from "./server";

const POLL_MS = 250;
const PATIENCE_MS = 60_000; // how long a restart of the server may take

const find = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The button that starts a job, and the elements that show it. */
export class Runner {
  private readonly button: HTMLButtonElement;
  private readonly cancelButton: HTMLButtonElement;
  private readonly bar: HTMLProgressElement;
  private readonly status: HTMLElement;
  private readonly problem: HTMLElement;
  private attempts = 0; // that are not finished: "Resume" can be clicked while the page still lists collections

  /** `start` is called on click; it calls `run`. */
  constructor(tab: string, start: () => Promise<void>) {
    this.button = find(`${tab}-run`);
    this.cancelButton = find(`${tab}-cancel`);
    this.bar = find(`${tab}-bar`);
    this.status = find(`${tab}-status`);
    this.problem = find(`${tab}-problem`);
    this.button.onclick = () => this.attempt(start);
  }

  /** Do something; a failure is shown, and the button is disabled until every attempt is finished. */
  async attempt(work: () => Promise<void>): Promise<void> {
    this.problem.textContent = this.status.textContent = "";
    this.attempts += 1;
    this.button.disabled = true;
    try {
      await work();
    } catch (error) {
      this.problem.textContent = (error as Error).message;
    } finally {
      this.attempts -= 1;
      this.button.disabled = this.attempts > 0;
      if (this.attempts === 0) this.cancelButton.hidden = this.bar.hidden = true;
    }
  }

  /** Show a text next to the button. */
  say(text: string): void {
    this.status.textContent = text;
  }

  /** Run a job; if the server was restarted and has forgotten the images, bring them there again and start over. */
  async withRetry<T>(run: () => Promise<T>, readAgain: () => Promise<unknown>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof ServerError) || error.status !== 410) throw error;
      this.say("The server was restarted; sending the images again …");
      await readAgain();
      return run();
    }
  }

  /** Run a job to its end; null if the user canceled it. */
  async run(values: Record<string, unknown>): Promise<Job | null> {
    const job = await post<Job>("jobs", values);
    return this.follow(`jobs/${job.id}`);
  }

  /** Show a job until it ends; null if it was canceled. */
  async follow(path: string): Promise<Job | null> {
    this.cancelButton.hidden = this.bar.hidden = false;
    this.cancelButton.disabled = false;
    this.cancelButton.onclick = () => {
      this.cancelButton.disabled = true;
      call(path, { method: "DELETE" }).catch(() => undefined);
    };
    for (;;) {
      const job = await this.state(path);
      if (job.state === "canceled") {
        this.say("Canceled.");
        return null;
      }
      if (job.state === "interrupted") {
        this.say("Interrupted.");
        return null;
      }
      if (job.state === "failed") throw new ServerError(job.error, 500);
      if (job.state === "done") {
        this.say("Done.");
        return job;
      }
      this.show(job);
      await sleep(POLL_MS);
    }
  }

  private show(job: Job): void {
    const isCanceling = this.cancelButton.disabled;
    const count = job.total ? ` ${job.done} of ${job.total}` : "";
    const waiting = job.position === 1 ? "1 job before this one" : `${job.position} jobs before this one`;
    const stage = job.state === "queued" ? `Waiting: ${waiting}` : `Working: ${job.stage}${count}`;
    this.say(isCanceling ? "Canceling …" : `${stage} …`);
    if (job.total) {
      this.bar.max = job.total;
      this.bar.value = job.done;
    } else this.bar.removeAttribute("value");
  }

  /** The state of the job; if the server does not answer, wait for it. */
  private async state(path: string): Promise<Job> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await call<Job>(path);
      } catch (error) {
        if ((error as ServerError).status !== 0 || performance.now() > end) throw error;
        this.say("The server does not answer; waiting for it …");
        await sleep(4 * POLL_MS);
      }
    }
  }
}
