// The HTTP door: routes as plain functions on Fastify.
//
// Invariants: nothing of what is stored is told without a login; `/healthz` and `/metrics` hold numbers and our own names alone; the set-up works once
// and only with its secret; bodies and headers have limits; a request that fails is one answer with its code, and is logged by route and code only.

import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type Archive, type ArchiveGate, type ArchiveStatus, visitor } from '../../archive/index.ts';
import { ArchiveError, type Clock, type Random, sha256, utf8Bytes } from '../../base/index.ts';
import { errorAnswer } from './http-status.ts';
import { addImagingRoutes } from './imaging-routes.ts';
import { meterProcess, metricsText } from './metrics.ts';
import { openApi } from './openapi.ts';
import { homePage, type Language, languageOf, policyOf, setupOverPage, setupPage } from './pages.ts';
import { addSessionRoutes, sessionOf } from './session-routes.ts';

export type ConsoleOptions = {
  /** The archive now; throws BUSY while it is being made again. */
  readonly archive: () => ArchiveGate;
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  /** The secret of a first start; undefined when there is a user. */
  readonly setupSecret: () => string | undefined;
  readonly onSetUp: () => Promise<void>;
  readonly onFault: (route: string, error: unknown) => void;
  /** What is shown over TLS; undefined for plain HTTP. */
  readonly identity: HttpIdentity | undefined;
  /** Whom requests are taken from; undefined for everyone. */
  readonly takes: ((address: string | undefined) => boolean) | undefined;
  /** PEM of the authority that signed what is shown, where it is one of our own: workstations fetch it here. */
  readonly authority: (() => string | undefined) | undefined;
  /** Other doors that answer on this port, each below its own path. */
  readonly mounts: readonly Mount[];
  /** Makes a connection that was just accepted anew, where it is plain HTTP. */
  readonly adopt?: ((socket: Socket) => Socket) | undefined;
};

/** Answers every request whose path is `prefix` or lies below it, and never throws. */
export type Mount = {
  readonly prefix: string;
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
};

const requestHint = 'see /api/openapi.json';

/** PEM of a certificate with those that sign it, and of its key. */
export type HttpIdentity = { readonly cert: string; readonly key: string };

export type ConsoleDoor = {
  readonly url: string;
  /** Shows another certificate to whoever connects from now on. */
  readonly show: (identity: HttpIdentity) => void;
  readonly close: () => Promise<void>;
};

const bodyBytesMax = 64 * 1024;
const headersMsMax = 30_000;
const silenceMsMax = 120_000;
/** At a stop: what is under way has so long to end, and who only holds a line open no longer. */
const lastRequestsMs = 3000;
/** A status asks the database and every disk: asked for more often, it is told again. */
const statusKeptMs = 1000;

/** DATA_LOCKED when the port is taken. */
export async function openConsole(options: ConsoleOptions): Promise<ConsoleDoor> {
  let listening: Server | SecureServer | undefined;
  const server = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    // What is no URL finds no route, and so no handler of errors.
    frameworkErrors: (_error, _request, reply: FastifyReply) => {
      const refused = new ArchiveError('ARGUMENT_INVALID', 'the request is not in its form', { hint: requestHint });
      void reply.code(400).send(errorAnswer(refused).body);
    },
    serverFactory: (handler) => {
      const listener = listenerOf(options.identity, (request, response) => {
        if (options.takes?.(request.socket.remoteAddress) === false) return refuseDirect(response);
        const mount = mountOf(options.mounts, request.url ?? '/');
        if (mount === undefined) handler(request, response);
        else mount.answer(request, response);
      });
      if (options.identity === undefined) acceptThrough(listener, options.adopt);
      // An upload may take hours; what may not is to say what it is, and to say nothing at all.
      listener.requestTimeout = 0;
      listener.headersTimeout = headersMsMax;
      listener.timeout = silenceMsMax;
      listening = listener;
      return listener;
    },
    forceCloseConnections: 'idle',
    return503OnClosing: true,
  });
  addRoutes(server, options);
  try {
    await server.listen({ host: options.host, port: options.port });
  } catch (error) {
    await server.close();
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new ArchiveError(
      code === 'EADDRINUSE' ? 'DATA_LOCKED' : 'CONFIG_INVALID',
      `port ${options.port} of ${options.host} cannot be listened on (${code})`,
      {
        cause: error,
        hint: code === 'EADDRINUSE' ? 'stop what uses it, or choose another port' : 'choose another host or port',
      },
    );
  }
  const address = server.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const close = async (): Promise<void> => {
    const late = setTimeout(() => listening?.closeAllConnections(), lastRequestsMs);
    try {
      await server.close();
    } finally {
      clearTimeout(late);
    }
  };
  const show = (identity: HttpIdentity): void => {
    if (listening !== undefined && 'setSecureContext' in listening)
      listening.setSecureContext({ ...secureProfile, ...identity });
  };
  return { url: `${options.identity === undefined ? 'http' : 'https'}://${host}:${port}`, show, close };
}

const secureProfile = { minVersion: 'TLSv1.2' } as const;

function listenerOf(identity: HttpIdentity | undefined, listener: RequestListener): Server | SecureServer {
  if (identity === undefined) return createServer(listener);
  return createSecureServer({ ...secureProfile, ...identity, handshakeTimeout: headersMsMax }, listener);
}

/** Every connection is made anew by `adopt` before it is served. */
function acceptThrough(server: Server | SecureServer, adopt: ConsoleOptions['adopt']): void {
  const serving = server.listeners('connection');
  if (adopt === undefined) return;
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const adopted = adopt(socket);
    for (const each of serving) Reflect.apply(each, server, [adopted]);
  });
}

/** Plain HTTP is for the proxies that were named: anyone else would send a password in the clear. */
function refuseDirect(response: ServerResponse): void {
  const refused = new ArchiveError('ACCESS_DENIED', 'this server is asked through its proxy alone', {
    hint: 'use the address of the proxy',
  });
  response.writeHead(403, { 'content-type': 'application/json; charset=utf-8', connection: 'close' });
  response.end(JSON.stringify(errorAnswer(refused).body));
}

function mountOf(mounts: readonly Mount[], url: string): Mount | undefined {
  const path = url.split('?', 1)[0] ?? url;
  return mounts.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
}

function addRoutes(server: FastifyInstance, options: ConsoleOptions): void {
  const status = keptStatus(options);
  const meter = meterProcess();
  server.setErrorHandler((error, request, reply) => {
    const known = error as Error & { statusCode?: number };
    if (!(error instanceof ArchiveError) && known.statusCode !== undefined && known.statusCode < 500) {
      // Fastify's own refusals: a body too long, not JSON.
      const refused = new ArchiveError(
        known.statusCode === 413 ? 'LIMIT_EXCEEDED' : 'ARGUMENT_INVALID',
        'the request is not in its form',
        { hint: requestHint },
      );
      return reply.code(known.statusCode).send(errorAnswer(refused).body);
    }
    const answer = errorAnswer(error);
    if (answer.status >= 500) options.onFault(request.routeOptions.url ?? 'unknown', error);
    return reply.code(answer.status).send(answer.body);
  });
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send(errorAnswer(new ArchiveError('NOT_FOUND', 'there is no such page', { hint: 'see /' })).body),
  );
  server.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'no-referrer');
    reply.header('x-frame-options', 'DENY');
    reply.header('cross-origin-opener-policy', 'same-origin');
    reply.header('cross-origin-resource-policy', 'same-origin');
    // Where the certificate is our own, a browser that was told to insist could not be let in by hand any more.
    if (options.identity !== undefined && options.authority?.() === undefined)
      reply.header('strict-transport-security', 'max-age=31536000');
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });

  server.get('/healthz', async (_request, reply) => {
    const { health } = await status();
    return reply.code(health === 'failing' ? 503 : 200).send({ health });
  });
  // Whether requests should come here now: a balancer asks this, and `/healthz` is for people.
  server.get('/readyz', async (_request, reply) => {
    const { findings, disks } = await status();
    const takesData = !findings.isCatalogStopped && disks.some((disk) => disk.state === 'present');
    return reply.code(takesData ? 200 : 503).send({ ready: takesData });
  });
  server.get('/metrics', async (_request, reply) =>
    reply
      .type('text/plain; version=0.0.4; charset=utf-8')
      .send(metricsText(await status(), await asVisitor(options).alarms.list(), meter)),
  );
  server.get('/', async (request, reply) => {
    const { health } = await status();
    const facts = { health, version: options.version, hasUser: (await secretOf(options)) === undefined };
    return sendPage(request, reply, options, (nonce, language) => homePage(nonce, language, facts));
  });
  server.get('/ca.crt', async (_request, reply) => {
    const authority = options.authority?.();
    if (authority === undefined) throw new ArchiveError('NOT_FOUND', 'there is no authority of our own');
    return reply.type('application/x-x509-ca-cert').send(authority);
  });
  server.get('/api/openapi.json', async (_request, reply) => reply.send(openApi(options.version)));
  server.get('/api/status', async (request, reply) => {
    if (!(await isLoggedIn(request, options))) return refuse(reply);
    const text = JSON.stringify(await status(), (_name, each: unknown) =>
      typeof each === 'bigint' ? String(each) : each,
    );
    return reply.type('application/json; charset=utf-8').send(text);
  });
  addSessionRoutes(server, (request) => asVisitor(options, request));
  addImagingRoutes(server, (request) => archiveOf(request, options), refuse);
  server.get('/setup', async (request, reply) => {
    if ((await secretOf(options)) !== undefined) return sendPage(request, reply, options, setupPage);
    return sendPage(request, reply.code(404), options, setupOverPage);
  });
  let settingUp: Promise<void> = Promise.resolve();
  server.post('/api/setup', async (request, reply) => {
    // One after another: of two who hold the link, one is the first user.
    settingUp = settingUp.catch(() => undefined).then(() => setUp(request.body, options));
    await settingUp;
    return reply.code(201).send({ done: true });
  });
}

/** One status for all who ask in the same second. */
function keptStatus(options: ConsoleOptions): () => Promise<ArchiveStatus> {
  let kept: { readonly status: Promise<ArchiveStatus>; readonly untilMs: number } | undefined;
  return () => {
    const archive = asVisitor(options);
    const nowMs = options.clock.monotonicMs();
    if (kept === undefined || kept.untilMs <= nowMs) {
      kept = { status: archive.status(), untilMs: nowMs + statusKeptMs };
      // A failure is told to who asked, and not kept.
      kept.status.catch(() => {
        kept = undefined;
      });
    }
    return kept.status;
  };
}

async function isLoggedIn(request: FastifyRequest, options: ConsoleOptions): Promise<boolean> {
  return (await archiveOf(request, options)) !== undefined;
}

/** The archive for who sends a request; undefined when that has not shown who they are. */
async function archiveOf(request: FastifyRequest, options: ConsoleOptions): Promise<Archive | undefined> {
  const from = { door: 'console', address: request.socket.remoteAddress };
  const { accounts } = asVisitor(options, request);
  const { authorization } = request.headers;
  const session = authorization === undefined ? sessionOf(request) : undefined;
  const caller = await (session === undefined
    ? accounts.callerOf(authorization, from)
    : accounts.ofSession(session, from));
  return caller === undefined ? undefined : options.archive().as(caller);
}

/** The archive for who has not shown who they are. */
function asVisitor({ archive }: ConsoleOptions, request?: FastifyRequest): Archive {
  return archive().as(visitor({ door: 'console', address: request?.socket.remoteAddress }));
}

function refuse(reply: FastifyReply): FastifyReply {
  const error = new ArchiveError('ACCESS_DENIED', 'not logged in', {
    hint: 'send a token (stele token create) or a user and password',
  });
  return reply
    .code(401)
    .header('www-authenticate', 'Basic realm="Stele", charset="UTF-8"')
    .send(errorAnswer(error).body);
}

function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ConsoleOptions,
  make: (nonce: string, language: Language) => string,
): FastifyReply {
  const nonce = Buffer.from(options.random.bytes(18)).toString('base64');
  const { lang } = request.query as { lang?: unknown };
  const language = languageOf(lang, request.headers['accept-language']);
  return reply
    .header('content-security-policy', policyOf(nonce))
    .header('vary', 'accept-language')
    .type('text/html; charset=utf-8')
    .send(make(nonce, language));
}

/** The set-up ends with the first user, however that came about. */
async function secretOf(options: ConsoleOptions): Promise<string | undefined> {
  const secret = options.setupSecret();
  if (secret === undefined || !(await asVisitor(options).accounts.hasUsers())) return secret;
  await options.onSetUp();
  return undefined;
}

async function setUp(body: unknown, options: ConsoleOptions): Promise<void> {
  const { secret, user, password } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  if (typeof secret !== 'string' || typeof user !== 'string' || typeof password !== 'string') {
    throw new ArchiveError('ARGUMENT_INVALID', 'the set-up takes secret, user and password');
  }
  const expected = await secretOf(options);
  const same = expected !== undefined && timingSafeEqual(sha256(utf8Bytes(secret)), sha256(utf8Bytes(expected)));
  if (!same)
    throw new ArchiveError('ACCESS_DENIED', 'the set-up link is another, or was used already', {
      hint: 'use the link that the server printed at its start',
    });
  await asVisitor(options).accounts.setUp({ name: user, password });
  await options.onSetUp();
}
