// Opening and closing: who is let in, who is told why not, TLS, limits, and a stop that lets work end.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { ArchiveError, isArchiveError, ManualClock } from '../../base/index.ts';
import { encodeAssociateRequest } from './associate-pdu.ts';
import type { Association } from './association.ts';
import { dimseStatus } from './dimse-status.ts';
import { cEcho, cStore } from './dimse-user.ts';
import { negotiate } from './negotiation.ts';
import { encodeAbort, encodeReleaseRequest, type RejectReason } from './pdu.ts';
import { AssociationRejected } from './requestor.ts';
import { type IncomingRequest, listenAssociations } from './server.ts';
import {
  associateRequest,
  openTrial,
  patterned,
  proposals,
  RawPeer,
  startServer,
  trialClass,
  trialRules,
  trialTimeouts,
} from './trial-association.ts';
import { dicomApplicationContext } from './uid.ts';

async function succeed(association: Association): Promise<void> {
  for await (const message of association.messages()) {
    await message.data?.gather(1e9);
    await message.respond({ status: dimseStatus.success });
  }
}

test('a refusal says why, on both sides', async () => {
  const table: [RejectReason, 'permanent' | 'transient', string][] = [
    ['calledAe', 'permanent', 'DICOM_REJECTED'],
    ['callingAe', 'permanent', 'DICOM_REJECTED'],
    ['congestion', 'transient', 'DICOM_BUSY'],
    ['noReason', 'transient', 'DICOM_BUSY'],
  ];
  for (const [reason, result, code] of table) {
    const trial = await startServer(succeed, { decide: () => ({ kind: 'reject', result, reason }) });
    await assert.rejects(openTrial(trial, { calling: 'STRANGER' }), (error) => {
      assert.ok(error instanceof AssociationRejected && error.code === code);
      assert.deepEqual([error.rejection.result, error.rejection.reason], [result, reason]);
      return true;
    });
    await trial.close();
    const [refusal] = trial.refusals;
    assert.deepEqual([refusal?.why, refusal?.calling, refusal?.remoteAddress], ['decided', 'STRANGER', '127.0.0.1']);
    assert.deepEqual(refusal?.rejection, { result, reason });
  }
});

test('whoever decides sees all that was asked, and how many there are', async () => {
  const seen: IncomingRequest[] = [];
  const counted: unknown[] = [];
  const trial = await startServer(succeed, {
    decide: async (request, counts) => {
      seen.push(request);
      counted.push(counts);
      await new Promise(setImmediate);
      return { kind: 'accept', ...negotiate(request, trialRules), identityAnswer: Buffer.from('ticket') };
    },
  });
  const identity = {
    kind: 'passcode',
    primary: Buffer.from('user'),
    secondary: Buffer.from('secret'),
    answerWanted: true,
  } as const;
  const first = await openTrial(trial, { identity, extended: [{ sopClass: trialClass.find, info: Uint8Array.of(1) }] });
  assert.equal(Buffer.from(first.facts.identityAnswer ?? []).toString(), 'ticket');
  const second = await openTrial(trial, { calling: 'OTHER' });
  const third = await openTrial(trial);
  assert.deepEqual(counted, [
    { total: 0, ofCaller: 0 },
    { total: 1, ofCaller: 0 },
    { total: 2, ofCaller: 1 },
  ]);
  assert.equal(Buffer.from(seen[0]?.user.identity?.secondary ?? []).toString(), 'secret');
  assert.deepEqual(seen[0]?.user.extended?.[0]?.info, Uint8Array.of(1));
  assert.deepEqual([seen[0]?.called, seen[0]?.calling, seen[0]?.tls], ['STELE', 'TRIAL', undefined]);
  await Promise.all([first.release(), second.release(), third.release()]);
  await trial.ended(3);
  assert.equal(trial.server.counts.associations, 0);
  await trial.close();
});

test('a decision that fails is a refusal for the moment, and our fault', async () => {
  const failure = new Error('no database');
  const trial = await startServer(succeed, { decide: () => Promise.reject(failure) });
  await assert.rejects(openTrial(trial), { code: 'DICOM_BUSY' });
  await trial.close();
  assert.deepEqual(trial.faults, [failure]);
});

test('a peer that speaks or leaves while we decide is let go', async () => {
  const undecided = Promise.withResolvers<never>();
  const asked: (() => void)[] = [];
  const trial = await startServer(succeed, {
    decide: () => {
      asked.shift()?.();
      return undecided.promise;
    },
  });
  const answers: string[] = [];
  for (const word of [encodeAbort({ source: 'user' }), associateRequest(), undefined]) {
    const peer = await RawPeer.connect(trial);
    const isAsked = new Promise<void>((resolve) => asked.push(resolve));
    peer.send(associateRequest());
    await isAsked;
    if (word === undefined) peer.socket.end();
    else peer.send(word);
    answers.push(await peer.hex());
    peer.close();
  }
  assert.deepEqual(answers, ['end', '07000000000400000202', 'end']);
  await trial.close();
  assert.deepEqual(
    trial.refusals.map(({ why }) => why),
    ['ended', 'protocol', 'ended'],
  );
});

test('another version or application context is refused', async () => {
  const trial = await startServer(succeed);
  const request = {
    protocolVersion: 1,
    called: 'STELE',
    calling: 'RAW',
    applicationContext: dicomApplicationContext,
    contexts: proposals(),
    user: { pduBytesMax: 0, implementationClass: '1.2' },
  };
  for (const [change, answer] of [
    [{ protocolVersion: 2 }, '03000000000400010202'],
    [{ applicationContext: '1.2.3' }, '03000000000400010102'],
  ] as const) {
    const peer = await RawPeer.connect(trial);
    peer.send(encodeAssociateRequest({ ...request, ...change }));
    assert.equal(await peer.hex(), answer);
    peer.close();
  }
  await trial.close();
  assert.deepEqual(
    trial.refusals.map(({ why }) => why),
    ['protocol', 'protocol'],
  );
});

test('associations are limited in all and by caller, and each refusal is listed', async () => {
  const trial = await startServer(succeed, { limits: { associationsMax: 3, associationsOfCallerMax: 2 } });
  const open = [await openTrial(trial, { calling: 'A' }), await openTrial(trial, { calling: 'A' })];
  await assert.rejects(openTrial(trial, { calling: 'A' }), { code: 'DICOM_BUSY' });
  open.push(await openTrial(trial, { calling: 'B' }));
  await assert.rejects(openTrial(trial, { calling: 'B' }), { code: 'DICOM_BUSY' });
  await open[0]?.release();
  await trial.ended();
  open.push(await openTrial(trial, { calling: 'B' }));
  await Promise.all(open.map((each) => each.release()));
  await trial.close();
  assert.deepEqual(
    trial.refusals.map(({ why, calling }) => [why, calling]),
    [
      ['caller', 'A'],
      ['associations', 'B'],
    ],
  );
});

test('connections are limited before they say a word', async () => {
  const trial = await startServer(succeed, { limits: { connectionsMax: 2 } });
  const peers = [await RawPeer.connect(trial), await RawPeer.connect(trial), await RawPeer.connect(trial)];
  assert.equal(await peers[2]?.hex(), 'end');
  assert.equal(trial.refusals[0]?.why, 'connections');
  for (const peer of peers) peer.close();
  await trial.close();
});

test('what serves and fails is our fault, and ends its association alone', async () => {
  const failure = new Error('a mistake');
  const trial = await startServer(async (association) => {
    for await (const message of association.messages()) {
      if (message.kind !== 'C-ECHO') throw failure;
      await message.respond({ status: 0 });
    }
  });
  const [good, bad] = [await openTrial(trial), await openTrial(trial)];
  const request = { sopClass: trialClass.ct, sopInstance: '1.2', data: patterned(100_000) };
  await assert.rejects(cStore(bad, request), { code: 'DICOM_ABORTED' });
  assert.equal((await cEcho(good)).status, 0);
  await good.release();
  await trial.close();
  assert.deepEqual(trial.faults, [failure]);
});

test('a port that is taken is said to be', async () => {
  const trial = await startServer(succeed);
  const { port } = trial.server.address;
  await assert.rejects(startServer(succeed, { port }), { code: 'DATA_LOCKED' });
  await assert.rejects(startServer(succeed, { host: '203.0.113.1' }), { code: 'CONFIG_INVALID' });
  await trial.close();
  await assert.rejects(openTrial({ server: { ...trial.server, address: { port } as never } }), {
    code: 'DICOM_UNREACHABLE',
  });
});

test('a stop ends idle associations at once and lets what runs end', async () => {
  const mayAnswer = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const trial = await startServer(async (association) => {
    for await (const message of association.messages()) {
      begun.resolve();
      await message.data?.gather(1e9);
      await mayAnswer.promise;
      await message.respond({ status: 0 });
    }
  });
  const idle = await openTrial(trial);
  const busy = await openTrial(trial);
  const stored = cStore(busy, { sopClass: trialClass.ct, sopInstance: '1.2', data: patterned(500_000) });
  await begun.promise;
  const closed = trial.close();
  assert.equal((await idle.ended)?.code, 'DICOM_ABORTED');
  await assert.rejects(openTrial(trial), ArchiveError);
  mayAnswer.resolve();
  assert.equal((await stored).status, 0);
  await closed;
  assert.equal((await busy.ended)?.code, 'DICOM_ABORTED');
  assert.deepEqual(trial.faults, []);
});

test('a stop does not wait for those who say nothing, or do not hang up', async () => {
  const trial = await startServer(succeed);
  const silent = await RawPeer.connect(trial);
  const released = await RawPeer.connect(trial);
  await released.associate();
  released.send(encodeReleaseRequest());
  assert.equal(await released.hex(), '06000000000400000000');
  await trial.ended();
  assert.equal(trial.server.counts.connections, 2);
  const begunMs = performance.now();
  await trial.close();
  assert.ok(performance.now() - begunMs < 5000);
  assert.deepEqual(
    [await silent.hex(), await silent.hex(), await released.hex()],
    ['07000000000400000000', 'end', 'end'],
  );
  assert.deepEqual(
    trial.refusals.map(({ why }) => why),
    ['stopping'],
  );
  silent.close();
  released.close();
});

test('a title or a UID that the protocol cannot say is refused before anybody is called', async () => {
  const nowhere = { server: { address: { port: 1 } } as never };
  for (const options of [
    { called: 'SEVENTEEN_LETTERS' },
    { calling: '' },
    { calling: '医院' },
    { contexts: [{ id: 1, abstractSyntax: 'x', transferSyntaxes: ['1.2'] }] },
    { contexts: [{ id: 1, abstractSyntax: '1.2', transferSyntaxes: ['1.2', ''] }] },
  ]) {
    await assert.rejects(openTrial(nowhere, options), { code: 'ARGUMENT_INVALID' });
  }
});

test('a stop aborts what does not end in its time', async () => {
  const clock = new ManualClock(0);
  const begun = Promise.withResolvers<void>();
  const trial = await startServer(
    async (association) => {
      for await (const message of association.messages()) {
        begun.resolve();
        await new Promise((resolve) => message.signal.addEventListener('abort', resolve));
      }
    },
    { clock, timeouts: trialTimeouts },
  );
  const association = await openTrial(trial);
  const echo = assert.rejects(cEcho(association), { code: 'DICOM_ABORTED' });
  await begun.promise;
  const closed = trial.server.close(5000);
  clock.advance(4999);
  assert.equal(trial.ends.length, 0);
  clock.advance(1);
  await echo;
  await closed;
  assert.ok(isArchiveError(trial.ends[0], 'CLOSED'));
  assert.deepEqual(trial.faults, []);
});

test('whoever opens can give up, before and after', async () => {
  const silent = net.createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as net.AddressInfo;
  const reason = new ArchiveError('CLOSED', 'no longer wanted');
  const server = { server: { address: { port } } as never };
  const abort = new AbortController();
  const opening = assert.rejects(openTrial(server, { signal: abort.signal }), reason);
  silent.once('connection', () => abort.abort(reason));
  await opening;
  await assert.rejects(openTrial(server, { signal: abort.signal }), reason);
  const clock = new ManualClock(0);
  const late = assert.rejects(openTrial(server, { clock, timeouts: { ...trialTimeouts, associationMs: 100 } }), {
    code: 'DICOM_TIMEOUT',
  });
  silent.once('connection', (socket) => socket.once('data', () => clock.advance(100)));
  await late;
  silent.close();

  const trial = await startServer(succeed);
  const later = new AbortController();
  const association = await openTrial(trial, { signal: later.signal });
  later.abort(reason);
  assert.equal(await association.ended, reason);
  await trial.ended();
  await trial.close();
});

/** A server that answers every request with these bytes. */
async function answering(bytes: Uint8Array): Promise<net.Server> {
  const server = net.createServer((socket) => socket.once('data', () => socket.end(bytes)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

test('a peer that answers nonsense is an error, not an association', async () => {
  const table: [Uint8Array, string][] = [
    [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'DICOM_PROTOCOL'],
    [Buffer.from('0200000000010000', 'hex'), 'DICOM_PROTOCOL'],
    [Buffer.from('05000000000400000000', 'hex'), 'DICOM_PROTOCOL'],
    [encodeAbort({ source: 'provider', reason: 0 }), 'DICOM_ABORTED'],
    [new Uint8Array(0), 'DICOM_ABORTED'],
  ];
  for (const [bytes, code] of table) {
    const server = await answering(bytes);
    const { port } = server.address() as net.AddressInfo;
    await assert.rejects(openTrial({ server: { address: { port } } as never }), { code });
    server.close();
  }
});

// ---- TLS

const tlsFolder = path.resolve(import.meta.dirname, '..', '..', '..', 'testdata', 'tls');
const pem = (name: string): string => readFileSync(path.join(tlsFolder, `${name}.pem`), 'utf8');
const identity = (name: string): { key: string; cert: string } => ({
  key: pem(`${name}-key`),
  cert: pem(`${name}-cert`),
});
const ca = pem('authority-cert');

test('an association over TLS carries objects, and says who the peer is', async () => {
  const seen: (IncomingRequest['tls'] | undefined)[] = [];
  const trial = await startServer(succeed, {
    tls: { ...identity('server'), ca, clientCertificate: 'optional' },
    decide: (request) => {
      seen.push(request.tls);
      return { kind: 'accept', ...negotiate(request, trialRules) };
    },
  });
  for (const name of ['client', undefined, 'stranger']) {
    const association = await openTrial(trial, { tls: { ...(name === undefined ? {} : identity(name)), ca } });
    const data = patterned(3_000_000);
    assert.equal((await cStore(association, { sopClass: trialClass.ct, sopInstance: '1.2', data })).status, 0);
    await association.release();
  }
  await trial.close();
  assert.deepEqual(
    seen.map((peer) => [peer?.protocol, peer?.isAuthorized, peer?.fingerprint !== undefined]),
    [
      ['TLSv1.3', true, true],
      ['TLSv1.3', false, false],
      ['TLSv1.3', false, true],
    ],
  );
  assert.deepEqual([trial.faults, trial.refusals], [[], []]);
});

test('where a certificate is required, nobody comes without a good one', async () => {
  const trial = await startServer(succeed, { tls: { ...identity('server'), ca, clientCertificate: 'required' } });
  for (const client of [{}, identity('stranger')])
    await assert.rejects(openTrial(trial, { tls: { ...client, ca } }), ArchiveError);
  const association = await openTrial(trial, { tls: { ...identity('client'), ca } });
  assert.equal((await cEcho(association)).status, 0);
  await association.release();
  await trial.close();
  assert.deepEqual([...new Set(trial.refusals.map(({ why }) => why))], ['tls']);
});

test('a server that we do not know is not trusted, unless we say so', async () => {
  const trial = await startServer(succeed, { tls: { ...identity('stranger'), clientCertificate: 'none' } });
  await assert.rejects(openTrial(trial, { tls: { ca } }), { code: 'DICOM_UNREACHABLE' });
  const association = await openTrial(trial, { tls: { unchecked: 'nothing' } });
  assert.equal((await cEcho(association)).status, 0);
  await association.release();
  await trial.close();
});

test('the name of a server is checked, unless we say not to', async () => {
  const trial = await startServer(succeed, { tls: { ...identity('server'), clientCertificate: 'none' } });
  await assert.rejects(openTrial(trial, { tls: { ca, serverName: 'elsewhere.example' } }), {
    code: 'DICOM_UNREACHABLE',
  });
  const association = await openTrial(trial, { tls: { ca, serverName: 'elsewhere.example', unchecked: 'name' } });
  await association.release();
  await trial.close();
});

test('TLS to a plain port, and plain to a TLS port, end with an error on both sides', async () => {
  const plain = await startServer(succeed);
  await assert.rejects(openTrial(plain, { tls: { ca } }), { code: 'DICOM_UNREACHABLE' });
  await plain.close();
  assert.match(plain.refusals[0]?.error?.message ?? '', /TLS is spoken/);
  const secure = await startServer(succeed, { tls: { ...identity('server'), clientCertificate: 'none' } });
  await assert.rejects(openTrial(secure), { code: 'DICOM_ABORTED' });
  await secure.close();
  assert.equal(secure.refusals[0]?.why, 'tls');
});

test('keys that do not fit are a mistake of the configuration', async () => {
  const tls = { key: pem('client-key'), cert: pem('server-cert'), clientCertificate: 'none' } as const;
  await assert.rejects(startServer(succeed, { tls }), { code: 'CONFIG_INVALID' });
  await assert.rejects(
    listenAssociations({
      host: '127.0.0.1',
      port: 0,
      tls: { ...tls, key: 'no key' },
      decide: () => ({ kind: 'reject', result: 'permanent', reason: 'noReason' }),
      serve: succeed,
      onFault: () => undefined,
    }),
    { code: 'CONFIG_INVALID' },
  );
});
