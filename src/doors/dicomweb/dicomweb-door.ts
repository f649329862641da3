// The DICOMweb door: who asks, what for, and one answer for whatever goes wrong. Routes are in routes.ts, what each does in the services.
//
// Invariants: nothing of what is stored is told without a login; every request ends in one answer, or is cut where an answer had begun; what is told to
// `onFault` holds nothing of what a client sent.
// Left out on purpose: the server (the console's port is shared), and everything that lasts (the archive).

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ArchiveGate, visitor } from '../../archive/index.ts';
import { ArchiveError, type Clock, type Random } from '../../base/index.ts';
import { PixelPool } from '../../dicom/index.ts';
import { answerAllBulkData, answerPixelData } from './all-values.ts';
import { BaseUrl, type BaseUrlOptions } from './base-url.ts';
import { BodyLane } from './body-lane.ts';
import { answerBulkData } from './bulk-service.ts';
import { corsOf } from './cors.ts';
import type { Exchange } from './exchange.ts';
import { answerFrames } from './frames-service.ts';
import { ClientGone, HttpProblem, isFault, problemAnswer } from './http-problem.ts';
import { parseAccept } from './media-type.ts';
import { MetadataCache } from './metadata-cache.ts';
import { answerMetadata } from './metadata-service.ts';
import { modelFormFor } from './model-forms.ts';
import { answerPictures } from './picture-service.ts';
import { answerReject } from './reject-service.ts';
import { Reply } from './reply.ts';
import { answerRetrieve } from './retrieve-service.ts';
import { type Place, parseRoute, type Route } from './routes.ts';
import { answerSearch } from './search-service.ts';
import { answerJsonStore, bringsJson } from './store-json.ts';
import { answerStore } from './store-service.ts';
import { answerUri } from './uri-service.ts';
import { answerXmlMetadata } from './xml-metadata.ts';

export type DicomWebOptions = BaseUrlOptions & {
  /** The archive now; throws BUSY while it is being made again. */
  readonly archive: () => ArchiveGate;
  /** Below which path the service lies, such as `/dicom-web`. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Origins whose pages may ask; `*` for all. */
  readonly origins?: readonly string[] | undefined;
  /** Answers to one search at most; without it, all there are. */
  readonly answersMax?: number | undefined;
  readonly onFault: (what: string, error: unknown) => void;
};

export type DicomWebDoor = {
  readonly prefix: string;
  /** The same connection in a form that large uploads come in at less cost; for a server that has just accepted it, without TLS. */
  readonly adopt: (socket: Socket) => Socket;
  /** Answers a request whose path lies below the prefix; never throws. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** Ends what works beside the main thread, when it is done. */
  readonly close: () => Promise<void>;
};

/** What lasts from request to request. */
type Kept = { readonly cache: MetadataCache; readonly pool: PixelPool; readonly baseUrl: BaseUrl };

export function openDicomWeb(options: DicomWebOptions): DicomWebDoor {
  const kept: Kept = {
    cache: new MetadataCache(),
    pool: new PixelPool({ clock: options.clock }),
    baseUrl: new BaseUrl(options),
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const reply = new Reply(response, request.method === 'HEAD');
    const told = answerRequest(request, reply, options, kept);
    told.catch((error: unknown) => options.onFault('dicomweb', error));
  };
  return { prefix: options.prefix, adopt: (socket) => BodyLane.adopt(socket), answer, close: () => kept.pool.close() };
}

async function answerRequest(
  request: IncomingMessage,
  reply: Reply,
  options: DicomWebOptions,
  kept: Kept,
): Promise<void> {
  let what = 'dicomweb';
  try {
    reply.header('x-content-type-options', 'nosniff');
    const cors = corsOf(request, options.origins ?? []);
    for (const [name, value] of Object.entries(cors)) reply.header(name, value);
    const route = parseRoute(pathOf(request.url ?? '/').slice(options.prefix.length));
    if (request.method === 'OPTIONS') {
      reply.send(204, { allow: methodsOf(route).join(', ') }, '');
      return;
    }
    const exchange = await exchangeOf(request, reply, options, kept);
    if (route === undefined) throw new ArchiveError('NOT_FOUND', 'there is no such resource', { hint: 'see PS3.18' });
    what = `dicomweb ${route.kind}`;
    await answerRoute(exchange, route, options, kept);
  } catch (error) {
    if (isFault(error)) options.onFault(what, error);
    if (error instanceof ClientGone || reply.isGone) return;
    if (reply.begun) {
      reply.breakOff();
      return;
    }
    const { status, headers, body } = problemAnswer(error);
    reply.send(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers }, body);
  }
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}

async function exchangeOf(
  request: IncomingMessage,
  reply: Reply,
  options: DicomWebOptions,
  kept: Kept,
): Promise<Exchange> {
  const gate = options.archive();
  const address = request.socket.remoteAddress;
  const { accounts } = gate.as(visitor({ door: 'dicomweb', address }));
  const caller = await accounts.callerOf(request.headers.authorization, { door: 'dicomweb', address });
  if (caller === undefined)
    throw new HttpProblem(401, 'not logged in', { 'www-authenticate': 'Basic realm="Stele", charset="UTF-8"' });
  const url = request.url ?? '/';
  const asks = url.indexOf('?');
  const params = new URLSearchParams(asks < 0 ? '' : url.slice(asks + 1));
  return {
    request,
    reply,
    archive: gate.as(caller),
    tenant: caller.tenant,
    user: caller.name,
    base: `${kept.baseUrl.of(request)}${options.prefix}`,
    params,
    accepts: parseAccept(request.headers.accept, params.get('accept')),
  };
}

async function answerRoute(exchange: Exchange, route: Route, options: DicomWebOptions, kept: Kept): Promise<void> {
  const { method = 'GET' } = exchange.request;
  const storesTo = storePlaceOf(route);
  if (method === 'POST' && storesTo !== undefined) {
    const store = bringsJson(exchange.request.headers['content-type']) ? answerJsonStore : answerStore;
    return store(exchange, storesTo, (error) => options.onFault('dicomweb store', error));
  }
  if (method === 'DELETE' && route.kind === 'retrieve') return answerReject(exchange, route.place);
  if (method !== 'GET' && method !== 'HEAD')
    throw new HttpProblem(405, 'this is not done to such a resource', {
      allow: methodsOf(route).join(', '),
    });
  const parts = { pool: kept.pool, random: options.random };
  switch (route.kind) {
    case 'search':
      return answerSearch(exchange, route, { answersMax: options.answersMax, random: options.random });
    case 'retrieve':
      return answerRetrieve(exchange, route.place, options);
    case 'metadata':
      return modelFormFor(exchange.accepts).kind === 'xml'
        ? answerXmlMetadata(exchange, route.place, options.random)
        : answerMetadata(exchange, route.place, kept.cache);
    case 'frames':
      return answerFrames(exchange, route.place, { frames: route.frames, ...parts });
    case 'pixeldata':
      return answerPixelData(exchange, route.place, parts);
    case 'allbulkdata':
      return answerAllBulkData(exchange, route.place, parts);
    case 'bulkdata':
      return answerBulkData(exchange, route.place, { path: route.path, ...parts });
    case 'uri':
      return answerUri(exchange, parts);
    case 'rendered':
    case 'thumbnail':
      return answerPictures(exchange, route, parts);
  }
}

function methodsOf(route: Route | undefined): readonly string[] {
  const stores = route !== undefined && storePlaceOf(route) !== undefined ? ['POST'] : [];
  const rejects = route?.kind === 'retrieve' ? ['DELETE'] : [];
  return ['GET', 'HEAD', ...stores, ...rejects, 'OPTIONS'];
}

/** `/studies` and `/studies/{study}` take instances. */
function storePlaceOf(route: Route): Place | undefined {
  if (route.kind === 'search') return route.level === 'study' ? route.place : undefined;
  return route.kind === 'retrieve' && route.place.series === undefined ? route.place : undefined;
}
