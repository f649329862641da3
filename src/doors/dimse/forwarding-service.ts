// Forwarding: the loop that sends what waits in the archive's queue to where its rules say.
//
// Invariants: one study at a time for a destination, destinations beside each other; a destination that answers nothing is left alone until the study
// that found out is due again, and no other study is spent on it; what was taken is noted after every try, so a restart goes on from there.
// Left out on purpose: what is due, what is new, and when it is tried again (the archive).

import type { ApplicationEntity, Archive, Forward, ForwardPlan } from '../../archive/index.ts';
import { ArchiveError, type Clock } from '../../base/index.ts';
import { statusClass, statusText, type TlsClientOptions } from '../../dicom/index.ts';
import { sendNotice } from './availability-notice.ts';
import { sendToEntity } from './send-instances.ts';

const lookMsMax = 30_000;

/** What a peer that is not there, or takes nothing from anybody, makes of a call. */
const unreachable: ReadonlySet<string> = new Set(['DICOM_UNREACHABLE', 'DICOM_TIMEOUT', 'DICOM_BUSY']);

/** What came of one try. */
type Sent = { readonly took: Set<string>; readonly failures: Set<string>; isThere: boolean | undefined };

export class ForwardingSender {
  readonly #archive: () => Archive;
  readonly #title: string;
  readonly #tlsClient: TlsClientOptions;
  readonly #clock: Clock;
  readonly #onFault: (error: unknown) => void;
  readonly #stopping = new AbortController();
  /** Destinations that are being sent to. */
  readonly #busy = new Map<string, Promise<void>>();
  #ready = new AbortController();
  readonly #running: Promise<void>;

  constructor(parts: {
    archive: () => Archive;
    title: string;
    tlsClient: TlsClientOptions;
    clock: Clock;
    onFault: (error: unknown) => void;
  }) {
    this.#archive = parts.archive;
    this.#title = parts.title;
    this.#tlsClient = parts.tlsClient;
    this.#clock = parts.clock;
    this.#onFault = parts.onFault;
    this.#running = this.#run();
  }

  /** Gives up what is being sent; what was taken until then is noted. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await Promise.all(this.#busy.values());
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#ready = new AbortController();
      const wakes = AbortSignal.any([signal, this.#ready.signal]);
      try {
        const { forwarding } = this.#archive();
        const waitMs = await this.#begin(forwarding);
        if (!signal.aborted) await forwarding.waitForNews(waitMs, wakes);
      } catch (error) {
        // The archive is being made again, or stops: later.
        if (!(error instanceof ArchiveError)) this.#onFault(error);
        if (!signal.aborted) await this.#clock.wait(lookMsMax, wakes);
      }
    }
  }

  /** Begins with what is due; how long there is nothing else. */
  async #begin(forwarding: Archive['forwarding']): Promise<number> {
    const { due, nextMs } = await forwarding.due(new Set(this.#busy.keys()));
    for (const [title, forwards] of Map.groupBy(due, (each) => each.to)) {
      const sending = this.#sendAll(forwards)
        .catch((error: unknown) => {
          if (!(error instanceof ArchiveError)) this.#onFault(error);
          forwarding.pause(title, this.#clock.nowMs() + lookMsMax);
        })
        .finally(() => {
          this.#busy.delete(title);
          this.#ready.abort();
        });
      this.#busy.set(title, sending);
    }
    return nextMs === undefined ? lookMsMax : Math.max(0, Math.min(lookMsMax, nextMs - this.#clock.nowMs()));
  }

  async #sendAll(forwards: readonly Forward[]): Promise<void> {
    for (const forward of forwards) {
      if (this.#stopping.signal.aborted || !(await this.#send(forward))) return;
    }
  }

  /** False when the destination is to be left alone for a while. */
  async #send(forward: Forward): Promise<boolean> {
    const archive = this.#archive();
    const plan = await archive.forwarding.plan(forward);
    const sent: Sent = { took: new Set(), failures: new Set(), isThere: undefined };
    const { took, failures } = sent;
    try {
      const entity = await archive.entities.get(forward.to);
      if (entity === undefined)
        throw new ArchiveError('NOT_FOUND', 'the table does not name this application entity any more');
      if (plan.missing.length > 0)
        await (forward.what === 'notice'
          ? this.#notify(archive, plan, entity, sent)
          : this.#store(archive, plan, entity, sent));
    } catch (error) {
      if (!(error instanceof ArchiveError)) this.#onFault(error);
      failures.add(error instanceof ArchiveError ? error.code : 'INTERNAL');
    }
    const left = plan.missing.filter((each) => !took.has(each.id)).length;
    // Stopping is no failure of the destination's: the rest comes with the next start.
    const isStopped = this.#stopping.signal.aborted;
    const why = `${left} of ${plan.missing.length} not taken: ${[...failures].slice(0, 3).join(', ')}`;
    const next = await archive.forwarding.sent(plan, took, isStopped ? undefined : why);
    if (sent.isThere !== false) return true;
    if (next !== undefined) archive.forwarding.pause(forward.to, next.nextMs);
    return false;
  }

  async #store(archive: Archive, plan: ForwardPlan, entity: ApplicationEntity, sent: Sent): Promise<void> {
    const { took, failures } = sent;
    await sendToEntity(
      {
        archive,
        instances: plan.missing,
        isStopped: () => this.#stopping.signal.aborted,
        onSent: (instance, status) => {
          if (status === undefined) failures.add('no answer');
          else if (statusClass(status) === 'failure') failures.add(statusText(status));
          else took.add(instance.id);
        },
        onOpen: (error) => {
          if (error !== undefined) failures.add(error.code);
          sent.isThere = error === undefined || sent.isThere === true;
        },
      },
      {
        entity,
        title: this.#title,
        tlsClient: this.#tlsClient,
        clock: this.#clock,
        signal: this.#stopping.signal,
      },
    );
  }

  /** Tells all of the study that is here, what was told before too: a notice is whole in itself. */
  async #notify(archive: Archive, plan: ForwardPlan, entity: ApplicationEntity, sent: Sent): Promise<void> {
    const { study, tenant } = plan.forward;
    const steps = await archive.steps.ofStudy(tenant, study);
    try {
      await sendNotice(
        { study, steps, instances: [...plan.held, ...plan.missing] },
        {
          entity,
          title: this.#title,
          tlsClient: this.#tlsClient,
          clock: this.#clock,
          signal: this.#stopping.signal,
          onTold: (ids) => {
            sent.isThere = true;
            for (const id of ids) sent.took.add(id);
          },
        },
      );
    } catch (error) {
      if (error instanceof ArchiveError && unreachable.has(error.code)) sent.isThere ??= false;
      throw error;
    }
  }
}
