/*
 * Pulling out of an archive that speaks DICOMweb: our own over loopback, and sources that are slow, odd or hostile, made for the purpose.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { jobStore } from '../src/app/pull-jobs.ts';
import { type Running, start } from '../src/app/running.ts';
import { settingsOf } from '../src/app/settings.ts';
import { defaultTenant, ManualClock } from '../src/base/index.ts';
import { emptyTally, ledgerLines, type PullJob, runWebPull } from '../src/doors/pull/index.ts';
import { fileOf, multipartOf, openWebHouse, type WebHouse } from './support/dicomweb-rig.ts';
import { explicitLittleEndian, implicitLittleEndian, makeInstance } from './support/made-instance.ts';
import { Stele } from './support/stele.ts';

const closing: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

const root = '1.2.826.0.1.3680043.99.81';

function newArchive(): Stele {
  const stele = new Stele();
  closing.push(() => stele.remove());
  return stele;
}

async function openSource(): Promise<WebHouse> {
  const house = await openWebHouse();
  closing.push(house.close);
  return house;
}

async function fill(house: WebHouse, days: readonly string[], instances = 3): Promise<void> {
  for (const [index, studyDate] of days.entries())
    for (let number = 1; number <= instances; number += 1) {
      const study = `${root}.${index}`;
      const isImplicit = index % 2 === 1;
      const made = { study, number, studyDate, patientId: `PAT${index}`, patientName: 'SECRET^NAME' };
      await house.store(
        makeInstance({ ...made, explicit: !isImplicit }),
        isImplicit ? implicitLittleEndian : explicitLittleEndian,
      );
    }
}

const days = ['20240131', '20240131', '20240102', '19991231', '', '21000101'];

const tallyOf = (out: string): Record<string, number> =>
  (JSON.parse(out.trim().split('\n').at(-1) ?? '{}') as { tally: Record<string, number> }).tally;

async function digests({ archive }: Running): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const each of archive.studies.instances({ tenant: defaultTenant, conditions: [] }))
    found.set(each.instanceUid, Buffer.from((await archive.instances.object(each)).digest ?? []).toString('hex'));
  return found;
}

test('everything comes out over DICOMweb byte for byte, a second pull fetches nothing, and the report is complete', async () => {
  const source = await openSource();
  await fill(source, days);
  const stele = newArchive();
  const credential = stele.file('password', 'a password of the test\n');
  const words = ['pull', 'web', source.root, '--user', 'admin', '--credential', credential, '--json'];
  const plan = await stele.done(...words, '--plan');
  assert.match(plan.out, /"studies":6,"instances":18,"inDoubt":false,"isAll":true/);
  assert.equal((await stele.done('pull', 'status', '--json')).out, '', 'a plan begins no pull');
  const first = await stele.done(...words);
  assert.deepEqual(
    [tallyOf(first.out)['studies'], tallyOf(first.out)['stored'], tallyOf(first.out)['missing']],
    [6, 18, 0],
  );
  assert.match(first.err, /in the clear/);
  assert.ok(!first.err.includes('SECRET') && !first.out.includes('SECRET') && !first.err.includes('a password'));
  const again = await stele.done(...words, '--new');
  assert.deepEqual([tallyOf(again.out)['stored'], tallyOf(again.out)['here']], [0, 18]);
  const out = stele.path('out');
  await stele.done('pull', 'report', '--out', out);
  const list = fs.readdirSync(out).find((name) => name.endsWith('.jsonl')) ?? '';
  const theirs = await digests(source.running);
  const lines = fs.readFileSync(path.join(out, list), 'utf8').trim().split('\n');
  assert.equal(lines.length, 18);
  for (const line of lines) {
    const { instance, sha256 } = JSON.parse(line) as { instance: string; sha256: string };
    assert.equal(sha256, theirs.get(instance), 'byte for byte');
  }
  const report = fs.readdirSync(out).find((name) => name.endsWith('.json')) ?? '';
  const text = fs.readFileSync(path.join(out, report), 'utf8');
  assert.ok(text.includes(source.root) && !text.includes('a password') && !text.includes('SECRET'));
  assert.match((await stele.done('pull', 'verify', path.join(out, report))).out, /signature good/);
  assert.match((await stele.done('pull', 'status')).out, new RegExp(source.root));
});

test('a token opens the source, a wrong one stops the pull, and the right one goes on with the same job', async () => {
  const source = await openSource();
  await fill(source, days.slice(0, 2), 1);
  const token = await source.running.archive.accounts.createToken({ user: 'admin', name: 'pull' });
  const stele = newArchive();
  await stele.done('put', stele.file('x', 'x'));
  const refused = await stele.run('pull', 'web', source.root, '--credential', stele.file('no', 'no such token'));
  assert.equal(refused.code, 1);
  assert.match(refused.err, /ACCESS_DENIED|answered 401/);
  const good = await stele.done('pull', 'web', source.root, '--credential', stele.file('yes', token), '--json');
  assert.equal(tallyOf(good.out)['stored'], 2);
  assert.equal((await stele.done('pull', 'status', '--json')).out.trim().split('\n').length, 1, 'it was one job');
});

test('words that make no sense are refused before anything is asked', async () => {
  const stele = newArchive();
  for (const words of [
    ['nothing'],
    ['ftp://old/'],
    ['http://user:word@old/dicom-web'],
    ['http://old/dicom-web?x=1'],
    ['http://old/dicom-web', '--user', 'me'],
    ['http://old/dicom-web', '--from', '20240102', '--to', '20240101'],
  ])
    assert.equal((await stele.run('pull', 'web', ...words)).code, 2, words.join(' '));
});

/** A source made for a test. */
type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

async function openOdd(answer: Answer, tls?: { cert: Buffer; key: Buffer }): Promise<string> {
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    answer(request, response, new URL(request.url ?? '/', 'http://source'));
  const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http${tls === undefined ? '' : 's'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = (response: ServerResponse, rows: readonly object[], headers: Record<string, string> = {}): void => {
  response.writeHead(rows.length === 0 ? 204 : 200, { 'content-type': 'application/dicom+json', ...headers });
  response.end(rows.length === 0 ? undefined : JSON.stringify(rows));
};
const element = (vr: string, ...values: readonly (string | number)[]): object => ({ vr, Value: values });

type OldStudy = { readonly uid: string; readonly date: string; readonly time: string };

/** Studies of one instance each, with what a source does to its answers. */
function oldArchive(
  studies: readonly OldStudy[],
  cut: (rows: readonly object[], url: URL) => readonly object[],
): Answer {
  return (_request, response, url) => {
    const [, , study, , series, , instance] = url.pathname.split('/');
    if (study === undefined) {
      const [from = '', to = from] = (url.searchParams.get('StudyDate') ?? '-').split('-');
      const [begin = '', end = begin] = (url.searchParams.get('StudyTime') ?? '-').split('-');
      const found = studies.filter(
        ({ date, time }) => date >= from && (to === '' || date <= to) && time >= begin && (end === '' || time <= end),
      );
      const rows = found.map(({ uid, date, time }) => ({
        '0020000D': element('UI', uid),
        '00080020': element('DA', date),
        '00080030': element('TM', time),
        '00201208': element('IS', 1),
      }));
      return json(response, cut(rows, url));
    }
    const offset = Number(url.searchParams.get('offset') ?? 0);
    if (series === undefined && url.pathname.endsWith('/series'))
      return json(
        response,
        offset > 0 ? [] : [{ '0020000E': element('UI', `${study}.1`), '00201209': element('IS', 1) }],
      );
    if (url.pathname.endsWith('/instances') && instance === undefined)
      return json(response, offset > 0 ? [] : [{ '00080018': element('UI', `${study}.1.1`) }]);
    const file = fileOf(makeInstance({ study }), `${study}.1.1`);
    const { type, body } = multipartOf([file]);
    response.writeHead(200, { 'content-type': type });
    response.end(body);
  };
}

const manyStudies = (count: number): OldStudy[] =>
  Array.from({ length: count }, (_, index) => ({
    uid: `${root}.7.${index + 1}`,
    date: '20240102',
    time: `${String(8 + (index % 9)).padStart(2, '0')}${String(index % 60).padStart(2, '0')}00`,
  }));

const atOffset = (rows: readonly object[], url: URL, most: number): readonly object[] => {
  const offset = Number(url.searchParams.get('offset') ?? 0);
  return rows.slice(offset, offset + Math.min(most, Number(url.searchParams.get('limit') ?? most)));
};

type Pulled = { readonly job: PullJob; readonly running: Running; readonly notes: readonly string[] };
type PullOptions = {
  readonly ca?: Uint8Array;
  readonly clock?: ManualClock;
  readonly atOnce?: number;
};

/** A pull of one day within this process, by a clock that moves on when the pull waits before it tries again. */
async function pullOf(url: string, options: PullOptions = {}): Promise<Pulled> {
  const stele = newArchive();
  const { clock = new ManualClock(Date.UTC(2026, 0, 1)) } = options;
  const settings = settingsOf([{ workers: 1 }], stele.folder);
  const running = await start({ settings, create: true, say: () => undefined, clock });
  closing.push(() => running.close());
  const notes: string[] = [];
  const fresh: PullJob = {
    id: 'job',
    source: { kind: 'web', url },
    from: '20240102',
    to: '20240102',
    modality: undefined,
    lastDay: '20240102',
    startedMs: clock.nowMs(),
    changedMs: clock.nowMs(),
    state: 'stopped',
    why: undefined,
    cursor: 'later',
    parts: 0,
    tally: emptyTally,
    limits: [],
    corrections: undefined,
    ris: undefined,
  };
  const job = await runWebPull(fresh, {
    archive: running.archive,
    store: jobStore(running),
    clock,
    signal: new AbortController().signal,
    pace: {},
    atOnce: options.atOnce ?? 2,
    onProgress: () => undefined,
    onNote: (line) => {
      notes.push(line);
      setImmediate(() => clock.advance(60_000));
    },
    source: { url, authorization: undefined, ca: options.ca },
    tenant: defaultTenant,
    issuer: undefined,
  });
  return { job, running, notes };
}

test('a source that pages is asked page by page, whatever its pages hold', async () => {
  let questions = 0;
  const url = await openOdd(
    oldArchive(manyStudies(137), (rows, asked) => {
      questions += 1;
      return atOffset(rows, asked, 25);
    }),
  );
  const { job } = await pullOf(url);
  assert.deepEqual([job.state, job.tally.studies, job.tally.stored, job.tally.doubts], ['done', 137, 137, 0]);
  assert.equal(questions, 7, 'six pages, and one that is empty');
});

test('a source that cuts at a round count and knows no offset is asked for less at a time', async () => {
  const url = await openOdd(oldArchive(manyStudies(150), (rows) => rows.slice(0, 100)));
  const { job } = await pullOf(url);
  assert.deepEqual([job.state, job.tally.studies, job.tally.stored, job.tally.doubts], ['done', 150, 150, 0]);
});

test('an answer that breaks off in the middle is asked for again, and what had come is not', async () => {
  const study = `${root}.60`;
  const files = [1, 2, 3, 4].map((number) => fileOf(makeInstance({ study, number }), `${study}.1.${number}`));
  const asked: string[] = [];
  const url = await openOdd((_request, response, at) => {
    if (at.pathname === '/studies')
      return json(response, [
        { '0020000D': element('UI', study), '00080020': element('DA', '20240102'), '00201208': element('IS', 4) },
      ]);
    if (at.pathname.endsWith('/series')) return json(response, [{ '0020000E': element('UI', `${study}.1`) }]);
    if (at.pathname.endsWith('/instances'))
      return json(
        response,
        [1, 2, 3, 4].map((number) => ({ '00080018': element('UI', `${study}.1.${number}`) })),
      );
    asked.push(at.pathname);
    const one = /\.1\.(\d)$/.exec(at.pathname)?.[1];
    const { type, body } = multipartOf(one === undefined ? files : files.slice(Number(one) - 1, Number(one)));
    response.writeHead(200, { 'content-type': type });
    if (asked.length > 1) response.end(body);
    else response.write(body.subarray(0, body.byteLength * 0.6), () => response.destroy());
  });
  const { job, notes } = await pullOf(url);
  assert.deepEqual([job.state, job.tally.stored + job.tally.here, job.tally.missing], ['done', 4, 0]);
  assert.match(notes[0] ?? '', /DICOM_ABORTED; trying again/);
  assert.deepEqual(
    asked.map((each) => each.split('/').at(-1)),
    [study, `${study}.1.3`, `${study}.1.4`],
    'two had come',
  );
});

test('a source that is busy is asked again later, and one that stays so stops the pull with its code', async () => {
  let questions = 0;
  const busy = await openOdd((request, response, url) => {
    questions += 1;
    if (questions > 2) return oldArchive(manyStudies(1), (rows) => rows)(request, response, url);
    response.writeHead(503);
    response.end();
  });
  assert.equal((await pullOf(busy)).job.tally.stored, 1);
  const dead = await openOdd((_request, response) => {
    response.writeHead(503);
    response.end();
  });
  await assert.rejects(pullOf(dead), /answered 503/);
});

test('what a hostile source answers is bounded and refused', async () => {
  const refusals: readonly [string, Answer, RegExp][] = [
    ['no JSON', (_request, response) => response.end('<html>'), /no JSON/],
    ['no list', (_request, response) => response.end('{"a":1}'), /no list/],
    [
      'elsewhere',
      (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      /answered 302/,
    ],
    ['squeezed', (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'), /encodes/],
    [
      'endless',
      (_request, response) => {
        const piece = Buffer.alloc(1024 * 1024, '[');
        const more = (): void => {
          while (!response.destroyed && response.write(piece));
          if (!response.destroyed) response.once('drain', more);
        };
        more();
      },
      /at most 67108864 bytes/,
    ],
  ];
  for (const [what, answer, says] of refusals) await assert.rejects(pullOf(await openOdd(answer)), says, what);
});

test('a name that is no UID goes into no address, and is told as doubt; objects that are none are refused', async () => {
  const study = `${root}.61`;
  const paths: string[] = [];
  const url = await openOdd((_request, response, at) => {
    paths.push(at.pathname);
    const date = { '00080020': element('DA', '20240102') };
    if (at.pathname === '/studies')
      return json(response, [
        { '0020000D': element('UI', '../../secret'), ...date },
        { '0020000D': element('UI', study), ...date },
        { '0020000D': 7, '00080020': null },
      ]);
    if (at.pathname.endsWith('/series')) return json(response, [{ '0020000E': element('UI', `${study}.1`) }]);
    if (at.pathname.endsWith('/instances')) return json(response, [{ '00080018': element('UI', `${study}.1.1`) }]);
    const { type, body } = multipartOf([Buffer.from('this is no DICOM object, whatever its type says. '.repeat(20))]);
    response.writeHead(200, { 'content-type': type });
    response.end(body);
  });
  const { job, running } = await pullOf(url);
  assert.equal(job.state, 'done');
  assert.ok(job.tally.doubts > 0, 'it is told');
  assert.equal(job.tally.refused + job.tally.missing, 1);
  assert.ok(paths.every((each) => !each.includes('secret')));
  const lines = await Array.fromAsync(
    ledgerLines({ archive: running.archive, tenant: defaultTenant, job: 'job' }, job.parts),
  );
  assert.ok(lines.some((line) => line.kind === 'instance' && line.why?.includes('no DICOM object') === true));
});

test('over TLS the certificate of the source is checked against the authority that was named', async () => {
  const pem = (name: string): Buffer => fs.readFileSync(path.join(import.meta.dirname, '..', 'testdata', 'tls', name));
  const url = await openOdd(
    oldArchive(manyStudies(2), (rows) => rows),
    {
      cert: pem('server-cert.pem'),
      key: pem('server-key.pem'),
    },
  );
  assert.equal((await pullOf(url, { ca: pem('authority-cert.pem') })).job.tally.stored, 2);
  await assert.rejects(pullOf(url, { ca: pem('stranger-cert.pem') }), /cannot be reached/);
});

test('a source that says nothing is left after a while, by the clock that was given', async () => {
  let asked = 0;
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const url = await openOdd(() => {
    asked += 1;
    clock.advance(125_000);
  });
  await assert.rejects(pullOf(url, { clock, atOnce: 1 }), /said nothing/);
  assert.equal(asked, 5, 'it was tried again');
});
