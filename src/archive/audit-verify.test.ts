import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArchiveError, auditGroup, utf8Bytes, writerId } from '../base/index.ts';
import { decodeAuditRecord, encodeAuditRecord } from '../format/index.ts';
import type { FoundFact } from '../vault/index.ts';
import { type AuditEvent, beginAction, type ChainEnd, hashOfText, noHash, textOfEvent } from './audit-event.ts';
import { AuditChecker, type AuditVerdict } from './audit-verify.ts';

const writer = writerId('a1'.repeat(16));
const chainA = '0a'.repeat(16);
const chainB = '0b'.repeat(16);

function event(action: string, follows?: ChainEnd): AuditEvent {
  const nothing = { from: undefined, tenant: undefined, study: undefined, subject: undefined, untilMs: undefined };
  return { ...nothing, atMs: 1000, action, result: 'ok', who: 'user:a', door: 'test', count: 1, follows };
}

/** Texts of a chain of so many events. */
function chainOf(count: number, follows?: ChainEnd): string[] {
  const texts: string[] = [];
  for (let number = 1; number <= count; number += 1) {
    const before = number === 1 ? noHash : hashOfText(texts.at(-1) ?? '');
    const said = number === 1 ? event(beginAction, follows) : event('study.read');
    texts.push(textOfEvent(said, number, before));
  }
  return texts;
}

function endOf(chain: string, texts: readonly string[]): ChainEnd {
  return { chain, number: texts.length, hash: hashOfText(texts.at(-1) ?? '') };
}

/** Records of three events each. */
function recordsOf(chain: string, texts: readonly string[], firstSequence = 1n): FoundFact[] {
  const records: FoundFact[] = [];
  for (let at = 0; at < texts.length; at += 3) {
    const plain = encodeAuditRecord({ chain, events: texts.slice(at, at + 3) });
    const id = { writer, sequence: firstSequence + BigInt(records.length) };
    records.push({ id, group: auditGroup(2026), hybrid: 1n, plain });
  }
  return records;
}

function verdictOf(packs: readonly (readonly FoundFact[])[], known: readonly ChainEnd[] = []): AuditVerdict {
  const checker = new AuditChecker();
  for (const facts of packs) {
    checker.beginPack();
    for (const fact of facts) checker.take(fact);
  }
  return checker.end(known.map((end) => ({ ...end, whence: 'the table' })));
}

/** What a check of these packs names: kinds and numbers. */
function check(
  packs: readonly (readonly FoundFact[])[],
  expected: readonly string[],
  known?: readonly ChainEnd[],
): void {
  const { problems } = verdictOf(packs, known);
  assert.deepEqual(
    problems.map(({ kind, chain, number }) => `${kind} ${chain.slice(0, 2)} ${number}`),
    expected,
    JSON.stringify(problems),
  );
}

const texts = chainOf(12);
const records = recordsOf(chainA, texts);

function withTexts(changed: (texts: string[]) => void, at = 1): FoundFact[] {
  const { plain } = records[at] as FoundFact;
  assert.ok(plain instanceof Uint8Array);
  const { events } = decodeAuditRecord(plain);
  const list = [...events];
  changed(list);
  const other = encodeAuditRecord({ chain: chainA, events: list });
  return records.map((record, index) => (index === at ? { ...record, plain: other } : record));
}

test('a whole chain is found whole, in any order of packs, also where packs repeat one another', () => {
  check([records], []);
  check([records.slice(2), records.slice(0, 2)], []);
  check([records, records.slice(1, 3)], []);
  check([records.slice(0, 3), records.slice(1)], []);
  const { events, records: count, chains, ends } = verdictOf([records]);
  assert.deepEqual([events, count, chains, ends], [12, 4, 1, [endOf(chainA, texts)]]);
});

test('a record that was written again, because nobody knew whether it was durable, is no fault', () => {
  const again = { ...(records[1] as FoundFact), id: { writer, sequence: 9n } };
  check([[...records.slice(0, 2), again]], []);
});

test('every event that is removed is named, wherever it stood', () => {
  for (let number = 1; number <= texts.length; number += 1) {
    const at = Math.floor((number - 1) / 3);
    const packs = [withTexts((list) => list.splice((number - 1) % 3, 1), at)];
    check(packs, [`missing 0a ${number}`], [endOf(chainA, texts)]);
  }
});

test('every event that is changed is named', () => {
  for (let number = 1; number < texts.length; number += 1) {
    const at = Math.floor((number - 1) / 3);
    const index = (number - 1) % 3;
    const change = (list: string[]): void => {
      list[index] = (list[index] ?? '').replace('user:a', 'user:b');
    };
    check([withTexts(change, at)], [`changed 0a ${number}`]);
  }
  const last = (list: string[]): void => {
    list[2] = (list[2] ?? '').replace('user:a', 'user:b');
  };
  check([withTexts(last, 3)], ['changed 0a 12'], [endOf(chainA, texts)]);
});

test('events that change places within a record, and records that do, are named', () => {
  const swap = (list: string[]): void => {
    [list[0], list[1]] = [list[1] ?? '', list[0] ?? ''];
  };
  assert.ok(verdictOf([withTexts(swap)]).problems.some(({ kind }) => kind === 'disordered'));
  const [first, second, third, fourth] = records as [FoundFact, FoundFact, FoundFact, FoundFact];
  const swapped = [first, { ...third, id: second.id }, { ...second, id: third.id }, fourth];
  assert.ok(verdictOf([swapped]).problems.some(({ kind }) => kind === 'disordered'));
});

test('events that were numbered and chained anew from some point on no longer fit an end that somebody else knows', () => {
  const forged = chainOf(12).map((text) => text.replace('study.read', 'study.find'));
  const rechained: string[] = [];
  for (const text of forged)
    rechained.push(text.replace(/"before":"[0-9a-f]+"/, `"before":"${hashOfText(rechained.at(-1) ?? '')}"`));
  rechained[0] = texts[0] ?? '';
  const whole: string[] = [];
  for (const text of rechained)
    whole.push(
      whole.length === 0 ? text : text.replace(/"before":"[0-9a-f]+"/, `"before":"${hashOfText(whole.at(-1) ?? '')}"`),
    );
  check([recordsOf(chainA, whole)], []);
  check([recordsOf(chainA, whole)], ['changed 0a 12'], [endOf(chainA, texts)]);
});

test('a chain goes on from the one before; an end that was cut off and a chain that is gone are named by the next', () => {
  const next = chainOf(3, endOf(chainA, texts));
  const later = recordsOf(chainB, next, 100n);
  check([records, later], []);
  check([records.slice(0, 3), later], ['missing 0a 10']);
  check([later], ['missing 0a 1']);
  check([records, recordsOf(chainB, chainOf(3, endOf(chainA, texts.slice(0, 9))), 100n)], ['unlinked 0a 10']);
  check(
    [records, recordsOf(chainB, chainOf(3), 100n)],
    ['unlinked 0a 12', 'unlinked 0b 3', 'unlinked 0a 1', 'unlinked 0b 1'],
  );
});

test('a record that cannot be read is named; one of a year whose key was destroyed is counted', () => {
  const bad = records.map((record, at) => (at === 1 ? { ...record, plain: utf8Bytes('{}') } : record));
  check([bad], ['unreadable  0', 'missing 0a 4']);
  const error = new ArchiveError('KEY_SHREDDED', 'gone');
  const { closedRecords } = verdictOf([records.map((record, at) => (at === 0 ? { ...record, plain: error } : record))]);
  assert.equal(closedRecords, 1);
});
