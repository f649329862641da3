// serve: the archive with its doors, until it is told to stop.
//
// Invariants: one line says where it answers, and `endpoints.json` is there exactly while all doors do; a stop finishes what is acknowledged and lets
// go of everything within its limit; while the database is made again, doors answer BUSY and nothing is lost.
// What it says goes to standard error, one line each, with the time; no line holds a name of a patient or an object.

import { hostname } from 'node:os';
import { type Archive, background } from '../archive/index.ts';
import { ArchiveError, systemClock, systemRandom, toArchiveError } from '../base/index.ts';
import { AlarmDoor } from '../doors/alarms/index.ts';
import { type ConsoleDoor, openConsole } from '../doors/console/index.ts';
import { type DicomWebDoor, openDicomWeb } from '../doors/dicomweb/index.ts';
import { type DimseDoor, openDimse } from '../doors/dimse/index.ts';
import { asOperator } from './as-operator.ts';
import { type Command, type CommandRun, defineCommand } from './command.ts';
import { ControlServer } from './control-server.ts';
import { readDicomTls } from './dicom-tls.ts';
import { errorLine } from './error-line.ts';
import { CertificateKeeper } from './https/certificate-keeper.ts';
import { planHttp } from './https/http-transport.ts';
import { rebuildReport } from './run-here.ts';
import { type Running, start } from './running.ts';
import type { Settings } from './settings.ts';
import { version } from './version.ts';

const stopMsMax = 9000;
const secretBytes = 24;
const telling = background('alarms');
/** Certificates live for months; what the operator changes is shown within the hour. */
const renewalMs = 3_600_000;

export function serveCommand(commands: () => readonly Command[]): Command {
  return defineCommand({
    name: 'serve',
    usage: '',
    says: 'run the archive and its doors',
    args: { least: 0, most: 0 },
    flags: { 'accept-clock': { type: 'boolean', says: 'start although the data carries times ahead of this clock' } },
    where: 'here',
    creates: true,
    run: (run) => serve(run, commands()),
  });
}

type Say = (line: string) => void;

/** The archive that is served, which a rebuild replaces. */
class Served {
  readonly #settings: Settings;
  readonly #say: Say;
  #running: Running | undefined;
  #changing: Promise<unknown> = Promise.resolve();

  constructor(settings: Settings, say: Say) {
    this.#settings = settings;
    this.#say = say;
  }

  async open(acceptClock: boolean): Promise<Running> {
    this.#running = await start({ settings: this.#settings, create: true, acceptClock, say: this.#say });
    this.#running.upkeep.start();
    return this.#running;
  }

  get running(): Running {
    if (this.#running === undefined) throw new ArchiveError('BUSY', 'the database is being made again');
    return this.#running;
  }

  get archive(): Archive {
    return this.running.archive;
  }

  rebuild(options: Parameters<CommandRun['rebuild']>[0]): ReturnType<CommandRun['rebuild']> {
    const mine = this.#changing.then(async () => {
      const before = this.#running;
      this.#running = undefined;
      await before?.close();
      const again = { settings: this.#settings, create: false, say: this.#say };
      try {
        const running = await start({ ...again, rebuild: options });
        this.#running = running;
        running.upkeep.start();
        return rebuildReport(running);
      } catch (error) {
        // What could be served before is served again, if it can be.
        this.#running ??= await start(again).catch(() => undefined);
        throw error;
      }
    });
    this.#changing = mine.catch(() => undefined);
    return mine;
  }

  async close(): Promise<void> {
    await this.#changing;
    const before = this.#running;
    this.#running = undefined;
    await before?.close();
  }
}

async function serve(run: CommandRun, commands: readonly Command[]): Promise<number> {
  const { settings, terminal, json, flags } = run;
  const say: Say = (line) => terminal.note(`${new Date().toISOString()} ${line}`);
  const fault = (where: string, error: unknown): void =>
    say(`${where}: ${errorLine(error, { json: false, debug: process.env['STELE_DEBUG'] === '1' })}`);
  const stopping = stopSignal();
  const served = new Served(settings, say);
  let door: ConsoleDoor | undefined;
  let web: DicomWebDoor | undefined;
  let dimse: DimseDoor | undefined;
  let control: ControlServer | undefined;
  let alarms: AlarmDoor | undefined;
  let renewing: NodeJS.Timeout | undefined;
  const running = await served.open(flags['accept-clock'] === true);
  const { data } = running;
  try {
    for (const problem of [...running.notes.losses, ...running.notes.unreadable]) say(`! ${problem}`);
    const setup = await firstStart(running);
    let secret = setup;
    web = openDicomWeb({
      archive: () => served.archive,
      prefix: '/dicom-web',
      origins: settings.dicomwebCorsOrigins,
      publicUrl: settings.publicUrl,
      proxies: settings.trustedProxies,
      clock: systemClock,
      random: systemRandom,
      onFault: (what, error) => fault(what, error),
    });
    const transport = planHttp(settings);
    if (transport.warning !== undefined) say(`! ${transport.warning}`);
    const certificates = transport.tls ? certificatesOf(settings) : undefined;
    const console = await openConsole({
      archive: () => served.archive,
      host: settings.host,
      port: settings.httpPort,
      identity: certificates?.renew(),
      takes: transport.takes,
      authority: () => certificates?.authority,
      version: version(),
      clock: systemClock,
      random: systemRandom,
      setupSecret: () => secret,
      onSetUp: async () => {
        secret = undefined;
        await served.running.data.setSetupSecret(undefined);
      },
      onFault: (route, error) => fault(route, error),
      mounts: [web],
      adopt: web.adopt,
    });
    door = console;
    renewing = setInterval(() => {
      try {
        const identity = certificates?.renew();
        if (identity !== undefined) console.show(identity);
      } catch (error) {
        fault('certificate', error);
      }
    }, renewalMs).unref();
    const tls = readDicomTls(settings);
    dimse = await openDimse({
      archive: () => served.archive,
      host: settings.host,
      port: settings.dicomPort,
      title: settings.aet,
      tls: tls.server === undefined ? undefined : { port: settings.dicomTlsPort, server: tls.server },
      tlsClient: tls.client,
      clock: systemClock,
      onFault: (what, error) => fault(what, error),
    });
    alarms = new AlarmDoor({
      archive: () => served.archive.as(telling),
      site: hostname(),
      certificateEndsMs: () => certificates?.endsMs,
      clock: systemClock,
      onFault: (what, error) => fault(what, error),
    });
    control = await ControlServer.listen({
      settings,
      commands,
      running: async () => asOperator(served.running),
      rebuild: (options) => served.rebuild(options),
      onFault: (error) => fault('command', error),
    });
    const secure = dimse.tlsPort === undefined ? {} : { dicom_tls: `${dimse.host}:${dimse.tlsPort}` };
    const endpoints = { http: door.url, dicom: `${dimse.host}:${dimse.port}`, ...secure, aet: settings.aet };
    await data.setEndpoints(endpoints);
    if (secret !== undefined)
      terminal.out(
        json
          ? JSON.stringify({ setup: `${door.url}/setup#${secret}` })
          : `stele: set up the first user, once: ${door.url}/setup#${secret}`,
      );
    terminal.out(
      json
        ? JSON.stringify({ endpoints })
        : `stele: serving ${Object.entries(endpoints)
            .map(([name, url]) => `${name} ${url}`)
            .join(' ')}`,
    );
    await stopping.asked;
    say('stopping');
  } finally {
    // A disk that hangs must not keep the process: what is acknowledged is durable already.
    const limit = setTimeout(() => process.exit(1), stopMsMax);
    limit.unref();
    clearInterval(renewing);
    await Promise.allSettled([control?.close(), alarms?.close(), dimse?.close(), door?.close(), web?.close()]);
    await data.setEndpoints(undefined).catch(() => undefined);
    await served.close().catch((error: unknown) => fault('stopping', error));
    clearTimeout(limit);
  }
  say('stopped');
  return 0;
}

function certificatesOf(settings: Settings): CertificateKeeper {
  const { data, httpTlsCert: cert, httpTlsKey: key, httpTlsNames: names, host } = settings;
  const given = cert === undefined || key === undefined ? undefined : { cert, key };
  // An address for all addresses is nobody's name.
  const own = ['0.0.0.0', '::'].includes(host) ? [] : [host];
  return new CertificateKeeper({
    folder: data,
    given,
    names: [...names, ...own],
    clock: systemClock,
    random: systemRandom,
  });
}

/** The secret of the set-up link, when there is no user yet and no password was given for the first. */
async function firstStart({ archive, data }: Running): Promise<string | undefined> {
  if (await archive.accounts.hasUsers()) {
    await data.setSetupSecret(undefined);
    return undefined;
  }
  const password = process.env['STELE_ADMIN_PASSWORD'];
  if (password !== undefined && password !== '') {
    await archive.accounts.setUser({ name: 'admin', password, role: 'admin', fresh: true }).catch((error: unknown) => {
      const known = toArchiveError(error, 'INTERNAL', 'the first user could not be made');
      throw known.code === 'ARGUMENT_INVALID'
        ? new ArchiveError('CONFIG_INVALID', `STELE_ADMIN_PASSWORD: ${known.message}`)
        : known;
    });
    return undefined;
  }
  const kept = await data.setupSecret();
  if (kept !== undefined) return kept;
  const secret = Buffer.from(systemRandom.bytes(secretBytes)).toString('base64url');
  await data.setSetupSecret(secret);
  return secret;
}

function stopSignal(): { readonly asked: Promise<void> } {
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  return { asked };
}
