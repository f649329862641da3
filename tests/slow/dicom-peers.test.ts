// The upper layer and DIMSE against other people's programs, in both roles: DCMTK, and pynetdicom where it is installed.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { bytesEqual } from '../../src/base/index.ts';
import {
  type Association,
  type AssociationServer,
  cEcho,
  cFind,
  cGet,
  cMove,
  cStore,
  dimseStatus,
  type IncomingMessage,
  type ListenOptions,
  listenAssociations,
  nEventReport,
  negotiate,
  openAssociation,
  planContexts,
  providerRoles,
} from '../../src/dicom/index.ts';
import { findDcmtk, findPynetdicom, freePort, type PeerTools, part10File } from '../support/dicom-peers.ts';
import {
  ctImageStorage,
  elementBytes,
  explicitLittleEndian,
  implicitLittleEndian,
  makeInstance,
} from '../support/made-instance.ts';

const dcmtk = findDcmtk();
const pynetdicom = findPynetdicom();
const needsDcmtk = dcmtk === undefined ? 'needs DCMTK' : false;
const needsPynetdicom = pynetdicom === undefined ? 'needs pynetdicom' : false;

const folder = mkdtempSync(path.join(tmpdir(), 'stele-peers-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const verification = '1.2.840.10008.1.1';
const studyFind = '1.2.840.10008.5.1.4.1.2.2.1';
const studyMove = '1.2.840.10008.5.1.4.1.2.2.2';
const studyGet = '1.2.840.10008.5.1.4.1.2.2.3';
const services = new Set([verification, studyFind, studyMove, studyGet]);
const tls = path.resolve(import.meta.dirname, '..', '..', 'testdata', 'tls');
const pemFile = (name: string): string => path.join(tls, `${name}.pem`);
const pem = (name: string): string => readFileSync(pemFile(name), 'utf8');

/** A slice of `pixels` bytes, and the file it lies in. */
function slice(number: number, pixelBytes: number): { uid: string; bytes: Uint8Array; file: string } {
  const uid = `1.2.826.0.1.3680043.99.7.${number}`;
  const columns = 64;
  const rows = pixelBytes / 2 / columns;
  const bytes = makeInstance({ instance: uid, number, rows, columns });
  const file = path.join(folder, `slice-${number}.dcm`);
  writeFileSync(
    file,
    part10File(bytes, { sopClass: ctImageStorage, sopInstance: uid, transferSyntax: explicitLittleEndian }),
  );
  return { uid, bytes, file };
}

type Stored = {
  readonly uid: string;
  readonly syntax: string;
  readonly bytes: Uint8Array;
  readonly command: IncomingMessage['command'];
};

type House = {
  readonly server: AssociationServer;
  readonly port: number;
  readonly stored: Stored[];
  readonly faults: unknown[];
  readonly cancelled: string[];
  /** Where C-MOVE sends to. */
  movePort: number;
  close(): Promise<void>;
};

const slices = Array.from({ length: 5 }, (_, index) => slice(index + 1, index === 4 ? 600_064 : 16_384));

/** Stores into memory, finds as many as the query's patient id says, and moves or gets the five slices. */
async function openHouse(options: Partial<ListenOptions> = {}): Promise<House> {
  const stored: Stored[] = [];
  const faults: unknown[] = [];
  const cancelled: string[] = [];
  const server = await listenAssociations({
    host: '127.0.0.1',
    port: 0,
    decide: (request) => ({
      kind: 'accept',
      ...negotiate(request, { served: services, refused: new Set(['1.2.840.10008.5.1.1.9']) }),
    }),
    serve: async (association) => {
      for await (const message of association.messages()) await answer(house, association, message);
    },
    onFault: (error) => faults.push(error),
    ...options,
  });
  const { port } = server.address;
  const house: House = { server, port, stored, faults, cancelled, movePort: 0, close: () => server.close(5000) };
  return house;
}

async function answer(house: House, association: Association, message: IncomingMessage): Promise<void> {
  const { command, context } = message;
  switch (message.kind) {
    case 'C-STORE': {
      const bytes = (await message.data?.gather(1e9)) ?? new Uint8Array(0);
      house.stored.push({ uid: command.affectedSopInstance ?? '', syntax: context.transferSyntax, bytes, command });
      return message.respond({ status: dimseStatus.success });
    }
    case 'C-FIND':
      return find(house, message);
    case 'C-GET':
    case 'C-MOVE':
      return retrieve(house, association, message);
    case 'C-ECHO':
      return message.respond({ status: dimseStatus.success });
    default:
      return message.respond({ status: dimseStatus.unrecognizedOperation });
  }
}

async function find(house: House, message: IncomingMessage): Promise<void> {
  const explicit = message.context.transferSyntax === explicitLittleEndian;
  const asked = Buffer.from((await message.data?.gather(1e6)) ?? []).toString('latin1');
  const count = Number(/MATCHES(\d+)/.exec(asked)?.[1] ?? 0);
  for (let index = 0; index < count; index += 1) {
    if (message.cancelled !== undefined) {
      house.cancelled.push(message.cancelled.code);
      return message.respond({ status: dimseStatus.cancel });
    }
    const match = Buffer.concat([
      elementBytes(0x0008_0052, 'CS', 'STUDY', explicit),
      elementBytes(0x0010_0020, 'LO', `P${index}`, explicit),
      elementBytes(0x0020_000d, 'UI', `1.2.3.${index}`, explicit),
    ]);
    await message.respond({ status: dimseStatus.pending }, match);
    await new Promise(setImmediate);
  }
  return message.respond({ status: dimseStatus.success });
}

async function retrieve(house: House, association: Association, message: IncomingMessage): Promise<void> {
  await message.data?.gather(1e6);
  const moves = message.kind === 'C-MOVE';
  const target = !moves
    ? association
    : await openAssociation({
        host: '127.0.0.1',
        port: house.movePort,
        calling: 'STELE',
        called: message.command.moveDestination ?? '',
        contexts: planContexts([{ abstractSyntax: ctImageStorage, transferSyntax: explicitLittleEndian }])[0] ?? [],
      });
  let completed = 0;
  for (const { uid, bytes } of slices) {
    const context = target.contextFor(ctImageStorage, explicitLittleEndian);
    const moveOriginator = { title: association.facts.calling, messageId: message.messageId };
    const outcome = await cStore(target, {
      sopClass: ctImageStorage,
      sopInstance: uid,
      context,
      data: bytes,
      ...(moves ? { moveOriginator } : {}),
    });
    if (outcome.status === 0) completed += 1;
    const counts = { remaining: slices.length - completed, completed, failed: 0, warning: 0 };
    await message.respond({ status: dimseStatus.pending, counts });
  }
  if (moves) await target.release();
  const counts = { remaining: 0, completed, failed: slices.length - completed, warning: 0 };
  await message.respond({ status: completed === slices.length ? 0 : dimseStatus.subOperationsFailed, counts });
}

function tool(tools: PeerTools | undefined): PeerTools {
  assert.ok(tools !== undefined);
  return tools;
}

// ---- we are called

test('echoscu: repeated, with 128 contexts of 38 syntaxes, aborting', { skip: needsDcmtk }, async () => {
  const house = await openHouse();
  const { run } = tool(dcmtk);
  const to = ['127.0.0.1', String(house.port)];
  for (const args of [[], ['--repeat', '20'], ['-pts', '38', '-ppc', '128'], ['--abort'], ['--max-pdu', '4096']]) {
    const { code, output } = await run('echoscu', [...args, ...to]);
    assert.equal(code, 0, output);
  }
  await house.close();
  assert.deepEqual(house.faults, []);
});

test('storescu: what comes in is what lies in the file, in PDUs of every size', { skip: needsDcmtk }, async () => {
  const house = await openHouse();
  const { run } = tool(dcmtk);
  const files = slices.map(({ file }) => file);
  for (const args of [[], ['--max-send-pdu', '4096'], ['--max-pdu', '4096'], ['--combine'], ['--repeat', '3']]) {
    const known = args[0] === '--combine' ? [] : args;
    const { code, output } = await run('storescu', [...known, '127.0.0.1', String(house.port), ...files]);
    assert.equal(code, 0, output);
  }
  assert.ok(house.stored.length >= 5 * slices.length);
  for (const { uid, bytes, syntax } of house.stored) {
    const sent = slices.find((each) => each.uid === uid);
    assert.equal(syntax, explicitLittleEndian);
    assert.ok(sent !== undefined && bytesEqual(bytes, sent.bytes), `${bytes.byteLength} bytes of ${uid}`);
  }
  await house.close();
  assert.deepEqual(house.faults, []);
});

test('storescu: sixteen at once', { skip: needsDcmtk }, async () => {
  const house = await openHouse();
  const { run } = tool(dcmtk);
  const files = Array.from({ length: 10 }, () => slices.map(({ file }) => file)).flat();
  const runs = await Promise.all(
    Array.from({ length: 16 }, () => run('storescu', ['127.0.0.1', String(house.port), ...files])),
  );
  for (const { code, output } of runs) assert.equal(code, 0, output);
  assert.equal(house.stored.length, 16 * files.length);
  await house.close();
  assert.deepEqual(house.faults, []);
});

test('storescu: a refusal of the object is its answer', { skip: needsDcmtk }, async () => {
  const house = await openHouse({
    serve: async (association) => {
      for await (const message of association.messages())
        await message.respond({ status: dimseStatus.outOfResources, errorComment: 'no room here' });
    },
  });
  const { code, output } = await tool(dcmtk).run('storescu', [
    '-v',
    '127.0.0.1',
    String(house.port),
    slices[4]?.file ?? '',
  ]);
  assert.notEqual(code, 0);
  assert.match(output, /A700|Refused: *OutOfResources/i);
  await house.close();
});

test('the tools over TLS, with and without certificates of their own', { skip: needsDcmtk }, async () => {
  const own = { key: pem('server-key'), cert: pem('server-cert'), ca: pem('authority-cert') };
  const house = await openHouse({ tls: { ...own, clientCertificate: 'optional' } });
  const strict = await openHouse({ tls: { ...own, clientCertificate: 'required' } });
  const { run } = tool(dcmtk);
  const named = ['+tls', pemFile('client-key'), pemFile('client-cert'), '+cf', pemFile('authority-cert')];
  const nameless = ['+tla', '+cf', pemFile('authority-cert')];
  for (const { port } of [house, strict]) {
    const { code, output } = await run('echoscu', [...named, '127.0.0.1', String(port)]);
    assert.equal(code, 0, output);
  }
  assert.equal((await run('echoscu', [...nameless, '127.0.0.1', String(house.port)])).code, 0);
  assert.notEqual((await run('echoscu', [...nameless, '127.0.0.1', String(strict.port)])).code, 0);
  assert.notEqual((await run('echoscu', ['127.0.0.1', String(house.port)])).code, 0);
  const files = slices.map(({ file }) => file);
  const sent = await run('storescu', [...named, '127.0.0.1', String(strict.port), ...files]);
  assert.equal(sent.code, 0, sent.output);
  assert.ok(strict.stored.every(({ bytes }, index) => bytesEqual(bytes, slices[index]?.bytes ?? new Uint8Array(0))));
  assert.equal(strict.stored.length, slices.length);
  await house.close();
  await strict.close();
  assert.deepEqual([house.faults, strict.faults], [[], []]);
});

test('findscu: all matches, and a cancel in the middle', { skip: needsDcmtk }, async () => {
  const house = await openHouse();
  const { run } = tool(dcmtk);
  const query = ['-v', '-S', '-k', 'QueryRetrieveLevel=STUDY', '127.0.0.1', String(house.port)];
  const all = await run('findscu', ['-k', 'PatientID=MATCHES500', ...query]);
  assert.equal(all.code, 0, all.output);
  assert.equal(all.output.match(/Find Response: \d+ \(Pending/g)?.length, 500);
  const some = await run('findscu', ['--cancel', '3', '-k', 'PatientID=MATCHES100000', ...query]);
  assert.match(some.output, /Cancel/);
  assert.deepEqual(house.cancelled, ['DICOM_CANCELLED']);
  await house.close();
  assert.deepEqual(house.faults, []);
});

const studyKeys = ['-k', 'QueryRetrieveLevel=STUDY', '-k', 'StudyInstanceUID=1.2'];

test('movescu takes what it asked for on its own port', { skip: needsDcmtk }, async () => {
  const house = await openHouse();
  house.movePort = await freePort();
  const out = mkdtempSync(path.join(folder, 'moved-'));
  // Written as they came, movescu puts objects where it runs, whatever folder it is told.
  const own = ['-v', '-S', '-aet', 'MOVER', '-aem', 'MOVER', '+P', String(house.movePort), '+B'];
  const args = [...own, ...studyKeys, '127.0.0.1', String(house.port)];
  const { code, output } = await tool(dcmtk).run('movescu', args, out);
  assert.equal(code, 0, output);
  checkFiles(out);
  await house.close();
  assert.deepEqual(house.faults, []);
});

test('getscu takes what it asked for on the same association', { skip: needsDcmtk }, async () => {
  const house = await openHouse();
  const out = mkdtempSync(path.join(folder, 'got-'));
  const args = ['-v', '-S', '-od', out, '+B', ...studyKeys, '127.0.0.1', String(house.port)];
  const { code, output } = await tool(dcmtk).run('getscu', args);
  assert.equal(code, 0, output);
  checkFiles(out);
  await house.close();
  assert.deepEqual(house.faults, []);
});

/** A folder holds the five slices, their data sets as they were sent. */
function checkFiles(out: string): void {
  const files = readdirSync(out).map((name) => readFileSync(path.join(out, name)));
  assert.equal(files.length, slices.length);
  for (const { bytes } of slices) assert.ok(files.some((file) => file.subarray(-bytes.byteLength).equals(bytes)));
}

// ---- we call

const ctContexts = planContexts([{ abstractSyntax: ctImageStorage, transferSyntax: explicitLittleEndian }])[0] ?? [];
const echoContext = { id: 255, abstractSyntax: verification, transferSyntaxes: [implicitLittleEndian] };

async function storeAll(association: Association): Promise<void> {
  for (const { uid, bytes } of slices) {
    const context = association.contextFor(ctImageStorage, explicitLittleEndian);
    const outcome = await cStore(association, { sopClass: ctImageStorage, sopInstance: uid, context, data: bytes });
    assert.equal(outcome.status, 0);
  }
}

test('storescp: keeps what we send, in PDUs of the size it takes', { skip: needsDcmtk }, async () => {
  for (const pdu of ['4096', '16384', '131072']) {
    const out = mkdtempSync(path.join(folder, 'kept-'));
    const scp = await tool(dcmtk).listen('storescp', (port) => ['+B', '-od', out, '--max-pdu', pdu, String(port)]);
    const association = await openAssociation({
      host: '127.0.0.1',
      port: scp.port,
      calling: 'STELE',
      called: 'STORESCP',
      contexts: [...ctContexts, echoContext],
    });
    assert.equal(association.facts.peerPduBytesMax, Number(pdu));
    assert.equal((await cEcho(association)).status, 0);
    await storeAll(association);
    await association.release();
    assert.equal(await association.ended, undefined);
    await scp.stop();
    checkFiles(out);
  }
});

test('storescp: over TLS, refusing, and dying in the middle', { skip: needsDcmtk }, async () => {
  const to = (port: number): Parameters<typeof openAssociation>[0] => ({
    host: '127.0.0.1',
    port,
    calling: 'STELE',
    called: 'STORESCP',
    contexts: ctContexts,
  });
  const { listen } = tool(dcmtk);
  const out = mkdtempSync(path.join(folder, 'secret-'));
  const own = ['+tls', pemFile('server-key'), pemFile('server-cert'), '+cf', pemFile('authority-cert')];
  const secure = await listen('storescp', (port) => [...own, '+B', '-od', out, String(port)]);
  const ca = pem('authority-cert');
  const identity = { key: pem('client-key'), cert: pem('client-cert') };
  const association = await openAssociation({ ...to(secure.port), tls: { ca, ...identity } });
  await storeAll(association);
  await association.release();
  await assert.rejects(openAssociation({ ...to(secure.port), tls: { ca: pem('stranger-cert') } }), {
    code: 'DICOM_UNREACHABLE',
  });
  await secure.stop();
  checkFiles(out);

  const refusing = await listen('storescp', (port) => ['--refuse', String(port)]);
  await assert.rejects(openAssociation(to(refusing.port)), { code: 'DICOM_REJECTED' });
  await refusing.stop();

  for (const when of ['--abort-after', '--abort-during']) {
    const aborting = await listen('storescp', (port) => [when, '--ignore', String(port)]);
    const doomed = await openAssociation(to(aborting.port));
    await assert.rejects(storeAll(doomed), { code: 'DICOM_ABORTED' });
    await aborting.stop();
  }
});

/** DCMTK's archive, with a place of its own for each AE, and the slices in it. */
async function startQrscp(movePort: number): Promise<Awaited<ReturnType<PeerTools['listen']>>> {
  const store = mkdtempSync(path.join(folder, 'qr-'));
  const config = path.join(store, 'dcmqrscp.cfg');
  const scp = await tool(dcmtk).listen('dcmqrscp', (port) => {
    const lines = [
      `NetworkTCPPort = ${port}`,
      'MaxPDUSize = 16384',
      'MaxAssociations = 16',
      'HostTable BEGIN',
      `mover = (MOVER, 127.0.0.1, ${movePort})`,
      'HostTable END',
      'VendorTable BEGIN',
      'VendorTable END',
      'AETable BEGIN',
      `ARCHIVE ${store} RW (100, 1024mb) ANY`,
      'AETable END',
    ];
    writeFileSync(config, `${lines.join('\n')}\n`);
    return ['-c', config, '-dhl'];
  });
  const files = slices.map(({ file }) => file);
  const sent = await tool(dcmtk).run('storescu', ['-aec', 'ARCHIVE', '127.0.0.1', String(scp.port), ...files]);
  assert.equal(sent.code, 0, sent.output);
  return scp;
}

const identifier = Buffer.concat([
  elementBytes(0x0008_0052, 'CS', 'IMAGE', false),
  elementBytes(0x0008_0018, 'UI', '', false),
  elementBytes(0x0020_000d, 'UI', '1.2.826.0.1.3680043.99.1', false),
  elementBytes(0x0020_000e, 'UI', '1.2.826.0.1.3680043.99.1.1', false),
]);
const seriesIdentifier = Buffer.concat([
  elementBytes(0x0008_0052, 'CS', 'SERIES', false),
  elementBytes(0x0020_000d, 'UI', '1.2.826.0.1.3680043.99.1', false),
  elementBytes(0x0020_000e, 'UI', '1.2.826.0.1.3680043.99.1.1', false),
]);

test('dcmqrscp: found, moved and got', { skip: needsDcmtk }, async () => {
  const house = await openHouse();
  const scp = await startQrscp(house.port);
  const uncompressed = [implicitLittleEndian];
  const association = await openAssociation({
    host: '127.0.0.1',
    port: scp.port,
    calling: 'STELE',
    called: 'ARCHIVE',
    contexts: [
      { id: 1, abstractSyntax: studyFind, transferSyntaxes: uncompressed },
      { id: 3, abstractSyntax: studyMove, transferSyntaxes: uncompressed },
      { id: 5, abstractSyntax: studyGet, transferSyntaxes: uncompressed },
      { id: 7, abstractSyntax: ctImageStorage, transferSyntaxes: [explicitLittleEndian] },
    ],
    roles: providerRoles([ctImageStorage]),
  });
  const found: string[] = [];
  const matches = cFind(association, { sopClass: studyFind, identifier });
  let match = await matches.next();
  for (; match.done !== true; match = await matches.next())
    found.push(Buffer.from(match.value.identifier).toString('latin1'));
  assert.equal(match.value.status, 0, scp.output());
  assert.equal(found.length, slices.length);

  for await (const _ of cFind(association, { sopClass: studyFind, identifier })) break;

  const move = cMove(association, { sopClass: studyMove, identifier: seriesIdentifier, destination: 'MOVER' });
  let progress = 0;
  let moved = await move.next();
  for (; moved.done !== true; moved = await move.next()) progress += 1;
  assert.deepEqual([moved.value.status, moved.value.completed, progress > 0], [0, slices.length, true], scp.output());
  assert.equal(house.stored[0]?.command.moveOriginator, 'STELE');
  assert.equal(house.stored.length, slices.length);

  const elsewhere = cMove(association, { sopClass: studyMove, identifier: seriesIdentifier, destination: 'NOWHERE' });
  let refused = await elsewhere.next();
  while (refused.done !== true) refused = await elsewhere.next();
  assert.equal(refused.value.status, dimseStatus.moveDestinationUnknown);

  const got: Uint8Array[] = [];
  const get = cGet(association, {
    sopClass: studyGet,
    identifier: seriesIdentifier,
    onStore: async (message) => {
      got.push((await message.data?.gather(1e9)) ?? new Uint8Array(0));
      await message.respond({ status: 0 });
    },
  });
  let step = await get.next();
  while (step.done !== true) step = await get.next();
  assert.deepEqual([step.value.status, step.value.completed], [0, slices.length], scp.output());
  for (const { bytes } of slices) assert.ok(got.some((each) => bytesEqual(each, bytes)));
  await association.release();
  await scp.stop();
  await house.close();
  assert.deepEqual(house.faults, []);
});

// ---- pynetdicom

test('pynetdicom calls: echo, store, find, move, get', { skip: needsPynetdicom }, async () => {
  const house = await openHouse();
  const { run } = tool(pynetdicom);
  const to = ['127.0.0.1', String(house.port)];
  for (const args of [[], ['--repeat', '5'], ['-pdu', '0']]) {
    const { code, output } = await run('echoscu', [...to, ...args]);
    assert.equal(code, 0, output);
  }
  for (const file of slices.map((each) => each.file)) {
    const { code, output } = await run('storescu', [...to, file, '-cx']);
    assert.equal(code, 0, output);
  }
  assert.equal(house.stored.length, slices.length);
  assert.ok(house.stored.every(({ bytes }, index) => bytesEqual(bytes, slices[index]?.bytes ?? new Uint8Array(0))));
  const query = ['-S', '-k', 'QueryRetrieveLevel=STUDY', '-v'];
  const found = await run('findscu', [...to, ...query, '-k', 'PatientID=MATCHES7']);
  assert.equal(found.output.match(/\(Pending\)/g)?.length, 7, found.output);
  house.movePort = await freePort();
  const out = mkdtempSync(path.join(folder, 'py-moved-'));
  const mover = [
    '--store',
    '--store-port',
    String(house.movePort),
    '--store-aet',
    'MOVER',
    '-aem',
    'MOVER',
    '-od',
    out,
  ];
  const moved = await run('movescu', [...to, ...query, ...mover, '-k', 'StudyInstanceUID=1.2']);
  assert.equal(moved.code, 0, moved.output);
  checkFiles(out);
  const gotten = mkdtempSync(path.join(folder, 'py-got-'));
  const got = await run('getscu', [...to, ...query, '-od', gotten, '-k', 'StudyInstanceUID=1.2']);
  assert.equal(got.code, 0, got.output);
  checkFiles(gotten);
  await house.close();
  assert.deepEqual(house.faults, []);
});

test('pynetdicom is called: echo and store', { skip: needsPynetdicom }, async () => {
  const out = mkdtempSync(path.join(folder, 'py-kept-'));
  const scp = await tool(pynetdicom).listen('storescp', (port) => [String(port), '-od', out]);
  const association = await openAssociation({
    host: '127.0.0.1',
    port: scp.port,
    calling: 'STELE',
    called: 'STORESCP',
    contexts: [...ctContexts, echoContext],
    identity: { kind: 'username', primary: Buffer.from('someone'), secondary: new Uint8Array(0), answerWanted: false },
  });
  assert.equal((await cEcho(association)).status, 0);
  await storeAll(association);
  await association.release();
  await scp.stop();
  checkFiles(out);
});

const commitment = '1.2.840.10008.1.20.1';

test('pynetdicom refuses a class that it does not serve, roles and all, and takes the rest', {
  skip: needsPynetdicom,
}, async () => {
  const scp = await tool(pynetdicom).listen('echoscp', (port) => [String(port)]);
  const association = await openAssociation({
    host: '127.0.0.1',
    port: scp.port,
    calling: 'STELE',
    called: 'ECHOSCP',
    contexts: [echoContext, { id: 1, abstractSyntax: commitment, transferSyntaxes: [implicitLittleEndian] }],
    roles: providerRoles([commitment]),
  });
  assert.equal((await cEcho(association)).status, 0);
  await assert.rejects(
    nEventReport(association, { sopClass: commitment, sopInstance: '1.2.840.10008.1.20.1.1', eventType: 1 }),
    { code: 'DICOM_CONTEXT_REFUSED' },
  );
  await association.release();
  await scp.stop();
});
