// listenAssociations(): takes connections, lets the caller decide on each request, and runs what serves the association.
//
// Invariants: connections and associations are counted against named limits, before anything is parsed or decided; every connection that does not
// become an association is told to `onRefused` with its reason, once; one association's failure is its own; a stop ends within its time.
// The callbacks run once an association. `serve` owns it until it returns: one that is still open then is aborted.
// Left out on purpose: who may do what (`decide`), and what requests mean (`serve`).

import net, { type AddressInfo, type Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { ArchiveError, assert, type Clock, defined, systemClock } from '../../base/index.ts';
import { implementationClassUid, implementationVersionName } from '../data/uid.ts';
import { type AssociateRequest, decodeAssociateRequest, encodeAssociateAccept } from './associate-pdu.ts';
import { Association } from './association.ts';
import { Connection } from './connection.ts';
import type { AcceptedContext } from './incoming-message.ts';
import { peerPduBytesMin, receivePduBytesDefault, type Timeouts, timeoutsDefault } from './limits.ts';
import type { Negotiated } from './negotiation.ts';
import { awaitPdu, lastWords, watchPeer } from './opening.ts';
import { encodeReject, type Rejection, type RejectReason } from './pdu.ts';
import { pduError } from './protocol-error.ts';
import { adoptSocket, ReceiveBuffers } from './receive-buffers.ts';
import { type TlsPeer, type TlsServerOptions, tlsServerOptions } from './tls-options.ts';
import { dicomApplicationContext } from './uid.ts';

export type AssociationLimits = {
  /** Connections of any kind, those that have not said anything yet and those that are being closed included. */
  readonly connectionsMax: number;
  readonly associationsMax: number;
  /** Of one calling AE title. */
  readonly associationsOfCallerMax: number;
};

export const associationLimitsDefault: AssociationLimits = {
  connectionsMax: 512,
  associationsMax: 256,
  associationsOfCallerMax: 64,
};

/** Who asks for an association, and for what. Nothing of it is checked but its form. */
export type IncomingRequest = AssociateRequest & { readonly remoteAddress: string; readonly tls: TlsPeer | undefined };

/** Associations that are open or being decided on, without the one that is asked for. */
export type AssociationCounts = { readonly total: number; readonly ofCaller: number };

export type Decision =
  | ({ readonly kind: 'accept'; readonly identityAnswer?: Uint8Array } & Negotiated)
  | ({ readonly kind: 'reject' } & Rejection);

export type Refusal = {
  readonly why: 'connections' | 'associations' | 'caller' | 'decided' | 'protocol' | 'tls' | 'ended' | 'stopping';
  readonly remoteAddress: string;
  /** When the request was read. */
  readonly calling: string | undefined;
  readonly called: string | undefined;
  readonly rejection: Rejection | undefined;
  readonly error: ArchiveError | undefined;
};

export type ListenOptions = {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly tls?: TlsServerOptions | undefined;
  readonly limits?: Partial<AssociationLimits>;
  readonly timeouts?: Partial<Timeouts>;
  /** What we announce as the longest PDU that we take. */
  readonly pduBytesMax?: number;
  readonly clock?: Clock;
  readonly decide: (request: IncomingRequest, counts: AssociationCounts) => Decision | Promise<Decision>;
  /** Runs as long as the association is served; what it throws of an association that has ended is that end, anything else a fault. */
  readonly serve: (association: Association, request: IncomingRequest) => Promise<void>;
  readonly onRefused?: (refusal: Refusal) => void;
  /** Each association's end: undefined after a release, else why. */
  readonly onEnded?: (association: Association, error: ArchiveError | undefined) => void;
  /** Mistakes of `decide` and `serve`. */
  readonly onFault: (error: unknown) => void;
};

export interface AssociationServer {
  readonly address: AddressInfo;
  readonly counts: { readonly connections: number; readonly associations: number };
  /**
   * Stops listening; idle associations are aborted now, others when what they serve is answered, all of them after `graceMs`. Resolves when all
   * connections are gone and all of `serve` has returned. Safe to repeat.
   */
  close(graceMs: number): Promise<void>;
}

/** Resolves when it listens. DATA_LOCKED when the port is taken, CONFIG_INVALID when it cannot listen otherwise. */
export async function listenAssociations(options: ListenOptions): Promise<AssociationServer> {
  const server = new Listener(options);
  await server.listen();
  return server;
}

class Listener implements AssociationServer {
  readonly #options: ListenOptions;
  readonly #limits: AssociationLimits;
  readonly #timeouts: Timeouts;
  readonly #clock: Clock;
  readonly #server: net.Server;
  readonly #sockets = new Set<Socket>();
  readonly #associations = new Set<Association>();
  readonly #ofCaller = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  #address: AddressInfo | undefined;
  #total = 0;
  readonly #stopping = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#limits = { ...associationLimitsDefault, ...options.limits };
    this.#timeouts = { ...timeoutsDefault, ...options.timeouts };
    this.#clock = options.clock ?? systemClock;
    const secure = options.tls === undefined ? undefined : this.#secureServer(options.tls);
    this.#server = net.createServer({ pauseOnConnect: secure === undefined }, (socket) => {
      if (!this.#mayAdmit(socket)) return;
      if (secure !== undefined) {
        this.#keep(socket);
        secure.emit('connection', socket);
        return;
      }
      const buffers = new ReceiveBuffers();
      const adopted = adoptSocket(socket, buffers);
      this.#keep(adopted ?? socket);
      if (adopted === undefined) this.#begin(socket, undefined);
      else this.#begin(adopted, undefined, buffers);
    });
  }

  /** Does the handshakes of connections that were admitted; it does not listen itself. */
  #secureServer(options: TlsServerOptions): tls.Server {
    const secure = tls.createServer({ ...tlsServerOptions(options), handshakeTimeout: this.#timeouts.associationMs });
    secure.on('secureConnection', (socket) => this.#begin(socket, tlsPeerOf(socket)));
    secure.on('tlsClientError', (cause, socket) => {
      const error = new ArchiveError('DICOM_PROTOCOL', 'no TLS connection came about', { cause });
      this.#refuse('tls', addressOf(socket), { error });
      socket.destroy();
    });
    return secure;
  }

  async listen(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const isTaken = cause.code === 'EADDRINUSE';
        const message = isTaken ? `port ${port} is taken` : `cannot listen on ${host}, port ${port} (${cause.code})`;
        reject(new ArchiveError(isTaken ? 'DATA_LOCKED' : 'CONFIG_INVALID', message, { cause }));
      });
      this.#server.listen({ host, port, backlog: 1024 }, resolve);
    });
    this.#server.on('error', (error) => this.#options.onFault(error));
    this.#address = this.#server.address() as AddressInfo;
  }

  get address(): AddressInfo {
    return defined(this.#address, 'a server that listens has an address');
  }

  get counts(): { connections: number; associations: number } {
    return { connections: this.#sockets.size, associations: this.#associations.size };
  }

  close(graceMs: number): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    const error = new ArchiveError('CLOSED', 'the server is stopping');
    // Those that have asked for nothing yet go at once.
    this.#stopping.abort(error);
    for (const association of this.#associations) association.stop();
    const done = new AbortController();
    const grace = this.#clock.wait(graceMs, done.signal).then(() => {
      for (const association of this.#associations) association.abort(error);
    });
    while (this.#running.size > 0) await Promise.all(this.#running);
    // Last words are given the rest of the time to leave.
    for (const socket of this.#sockets) socket.destroySoon();
    await Promise.race([closed, grace]);
    for (const socket of this.#sockets) socket.destroy();
    done.abort();
    await closed;
  }

  #mayAdmit(socket: Socket): boolean {
    const { connectionsMax } = this.#limits;
    if (this.#sockets.size >= connectionsMax) {
      const error = new ArchiveError('LIMIT_EXCEEDED', `${connectionsMax} connections are open`);
      this.#refuse('connections', addressOf(socket), { error });
      socket.destroy();
      return false;
    }
    return true;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // A raw socket under TLS fails beside it.
    socket.on('error', () => undefined);
  }

  #begin(socket: Socket, peer: TlsPeer | undefined, buffers?: ReceiveBuffers): void {
    const running = this.#run(socket, peer, buffers).catch((error: unknown) => {
      socket.destroy();
      this.#options.onFault(error);
    });
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  async #run(socket: Socket, peer: TlsPeer | undefined, buffers: ReceiveBuffers | undefined): Promise<void> {
    const remoteAddress = addressOf(socket);
    const connection = new Connection(socket, { clock: this.#clock, timeouts: this.#timeouts, buffers });
    let request: IncomingRequest | undefined;
    try {
      const pdu = await awaitPdu(connection, 'awaiting-request', this.#stopping.signal);
      request = { ...decodeAssociateRequest(pdu.body), remoteAddress, tls: peer };
      const counted = this.#count(request.calling);
      try {
        const decision = await this.#decide(connection, request, counted.before);
        if (decision.kind === 'accept') await this.#serve(connection, request, decision);
        else connection.close(encodeReject(decision), 'wait');
      } finally {
        counted.forget();
      }
    } catch (error) {
      if (!(error instanceof ArchiveError) || error.code === 'INTERNAL') throw error;
      connection.close(lastWords(error));
      const why = error.code === 'DICOM_PROTOCOL' ? 'protocol' : error.code === 'CLOSED' ? 'stopping' : 'ended';
      this.#refuse(why, remoteAddress, { request, error });
    }
  }

  #count(calling: string): { before: AssociationCounts; forget: () => void } {
    const ofCaller = this.#ofCaller.get(calling) ?? 0;
    const before = { total: this.#total, ofCaller };
    this.#total += 1;
    this.#ofCaller.set(calling, ofCaller + 1);
    const forget = (): void => {
      this.#total -= 1;
      const left = (this.#ofCaller.get(calling) ?? 1) - 1;
      if (left === 0) this.#ofCaller.delete(calling);
      else this.#ofCaller.set(calling, left);
    };
    return { before, forget };
  }

  async #decide(connection: Connection, request: IncomingRequest, counts: AssociationCounts): Promise<Decision> {
    const { associationsMax, associationsOfCallerMax } = this.#limits;
    const refused = (why: Refusal['why'], result: Rejection['result'], reason: RejectReason): Decision => {
      this.#refuse(why, request.remoteAddress, { request, rejection: { result, reason } });
      return { kind: 'reject', result, reason };
    };
    if ((request.protocolVersion & 1) === 0) return refused('protocol', 'permanent', 'protocolVersion');
    if (request.applicationContext !== dicomApplicationContext)
      return refused('protocol', 'permanent', 'applicationContext');
    const peerPduBytes = request.user.pduBytesMax;
    if (peerPduBytes > 0 && peerPduBytes < peerPduBytesMin) {
      throw pduError('invalidParameter', `the peer takes PDUs of ${peerPduBytes} bytes at most`);
    }
    if (this.#stopping.signal.aborted) return refused('stopping', 'transient', 'congestion');
    if (counts.total >= associationsMax) return refused('associations', 'transient', 'localLimit');
    if (counts.ofCaller >= associationsOfCallerMax) return refused('caller', 'transient', 'localLimit');
    const decision = await watchPeer(connection, this.#ask(request, counts));
    return decision.kind === 'accept' ? decision : refused('decided', decision.result, decision.reason);
  }

  async #ask(request: IncomingRequest, counts: AssociationCounts): Promise<Decision> {
    try {
      return await this.#options.decide(request, counts);
    } catch (error) {
      this.#options.onFault(error);
      return { kind: 'reject', result: 'transient', reason: 'congestion' };
    }
  }

  async #serve(
    connection: Connection,
    request: IncomingRequest,
    decision: Decision & { kind: 'accept' },
  ): Promise<void> {
    const { contexts, roles, extended, asyncWindow, identityAnswer } = decision;
    connection.write(
      encodeAssociateAccept({
        called: request.called,
        calling: request.calling,
        applicationContext: dicomApplicationContext,
        contexts,
        user: {
          pduBytesMax: this.#options.pduBytesMax ?? receivePduBytesDefault,
          implementationClass: implementationClassUid,
          implementationVersion: implementationVersionName,
          roles,
          extended,
          ...(asyncWindow === undefined ? {} : { asyncWindow }),
          ...(identityAnswer === undefined ? {} : { identityAnswer }),
        },
      }),
    );
    const { user } = request;
    const association = new Association(connection, {
      role: 'acceptor',
      called: request.called,
      calling: request.calling,
      remoteAddress: request.remoteAddress,
      contexts: acceptedContexts(request, decision),
      peerPduBytesMax: user.pduBytesMax,
      peerImplementation: { class: user.implementationClass, version: user.implementationVersion },
      extended: user.extended ?? [],
      identity: user.identity,
      identityAnswer,
    });
    this.#associations.add(association);
    if (this.#stopping.signal.aborted) association.stop();
    try {
      await this.#options.serve(association, request);
    } catch (error) {
      // What it throws because the association ended is the end, which is told below.
      if (error !== association.endError) this.#options.onFault(error);
    } finally {
      association.abort(new ArchiveError('DICOM_ABORTED', 'whoever served the association has gone'));
      this.#associations.delete(association);
      this.#options.onEnded?.(association, await association.ended);
    }
  }

  #refuse(
    why: Refusal['why'],
    remoteAddress: string,
    facts: { request?: IncomingRequest | undefined; rejection?: Rejection; error?: ArchiveError },
  ): void {
    const { request, rejection, error } = facts;
    this.#options.onRefused?.({
      why,
      remoteAddress,
      calling: request?.calling,
      called: request?.called,
      rejection,
      error,
    });
  }
}

/** Exactly what was accepted, and the roles as the requestor will read them. */
function acceptedContexts(request: IncomingRequest, decision: Negotiated): ReadonlyMap<number, AcceptedContext> {
  const contexts = new Map<number, AcceptedContext>();
  for (const { id, result, transferSyntax } of decision.contexts) {
    if (result !== 'accepted') continue;
    const proposal = request.contexts.find((each) => each.id === id);
    assert(proposal?.transferSyntaxes.includes(transferSyntax) === true, 'what is accepted was proposed');
    const { abstractSyntax } = proposal;
    // The requestor's roles: user unless it asked otherwise and was heard.
    const requestor = decision.roles.find((each) => each.sopClass === abstractSyntax) ?? { scu: true, scp: false };
    contexts.set(id, { id, abstractSyntax, transferSyntax, isUser: requestor.scp, isProvider: requestor.scu });
  }
  return contexts;
}

function addressOf(socket: Socket): string {
  return socket.remoteAddress ?? 'unknown';
}

function tlsPeerOf(socket: TLSSocket): TlsPeer {
  const certificate = socket.getPeerCertificate();
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().name,
    isAuthorized: socket.authorized,
    fingerprint: certificate.fingerprint256 as string | undefined,
  };
}
