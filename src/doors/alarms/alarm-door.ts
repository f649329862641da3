// The alarm door: looks every minute for what is wrong, and brings what is to be told to who is to be told.
//
// Invariants: targets beside each other, so that one that hangs holds up nobody else; a failure is tried again by the archive's queue; what fails is logged by the
// name of the target and never by its URL, which may hold a password.
// Left out on purpose: what is wrong, and how often it is told (policy); the queue (the archive).

import type { AlarmDelivery, Archive } from '../../archive/index.ts';
import { ArchiveError, type Clock } from '../../base/index.ts';
import { sendMail } from './mail.ts';
import { levelOf, noticeText } from './notice-text.ts';
import { trapMessages } from './snmp-trap.ts';
import { sendDatagrams, sendSyslog, syslogMessages } from './syslog.ts';
import { sendWebhook, webhookRequest } from './webhook.ts';

export type AlarmDoorOptions = {
  /** Throws BUSY while the archive is being made again. */
  readonly archive: () => Archive;
  /** How this machine is called in what is told. */
  readonly site: string;
  readonly certificateEndsMs: () => number | undefined;
  readonly clock: Clock;
  readonly onFault: (what: string, error: unknown) => void;
};

const lookMs = 60_000;

export class AlarmDoor {
  readonly #options: AlarmDoorOptions;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: AlarmDoorOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, onFault } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await clock.wait(lookMs, signal);
      if (signal.aborted) return;
      try {
        await this.#round();
      } catch (error) {
        // The archive is being made again, or stops: later.
        if (!(error instanceof ArchiveError)) onFault('alarms', error);
      }
    }
  }

  /** One look, and what is due of telling. */
  async #round(): Promise<void> {
    const archive = this.#options.archive();
    await archive.alarms.look(await archive.status(), this.#options.certificateEndsMs());
    const due = Map.groupBy(await archive.alarms.due(), (each) => each.target.name);
    await Promise.all([...due.values()].map((deliveries) => this.#deliver(archive, deliveries)));
  }

  /** In order; after the first that fails the rest of a target waits. */
  async #deliver({ alarms }: Archive, deliveries: readonly AlarmDelivery[]): Promise<void> {
    let isThere = true;
    for (const delivery of deliveries) {
      if (isThere) {
        try {
          await sendNotice(delivery, this.#options);
          await alarms.delivered(delivery);
          continue;
        } catch (error) {
          isThere = false;
          const code = (error as NodeJS.ErrnoException).code ?? 'refused';
          this.#options.onFault(
            `alarms to ${delivery.target.name}`,
            new ArchiveError('NOTICE_UNSENT', `could not be sent (${code})`),
          );
        }
      }
      await alarms.failed(delivery);
    }
  }
}

/** Resolves when the target took it. */
export async function sendNotice(
  { target, notice }: Pick<AlarmDelivery, 'target' | 'notice'>,
  { site, clock }: Pick<AlarmDoorOptions, 'site' | 'clock'>,
): Promise<void> {
  const url = new URL(target.url);
  const text = noticeText(notice, site, target.language);
  const level = levelOf(notice);
  const nowMs = Math.floor(clock.nowMs());
  const source = { host: site, processId: process.pid, nowMs };
  switch (url.protocol) {
    case 'smtp:':
    case 'smtps:':
      return sendMail(url, text);
    case 'syslog:':
    case 'syslog+tcp:':
    case 'syslog+tls:':
      return sendSyslog(url, syslogMessages(text, level, source));
    case 'snmp:': {
      const community = decodeURIComponent(url.username) || 'public';
      const uptimeSeconds = clock.monotonicMs() / 1000;
      const traps = trapMessages(text, level, { ...source, community, uptimeSeconds, requestId: nowMs % 2 ** 31 });
      return sendDatagrams(url.hostname.replace(/^\[|\]$/g, ''), Number(url.port || 162), traps);
    }
    default:
      return sendWebhook(webhookRequest(target, notice, text, nowMs), target.form === 'text');
  }
}
