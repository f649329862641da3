/* Paths, media types and queries: what they mean, and that nothing a client writes ends in anything but an answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArchiveError } from '../../base/index.ts';
import { parseAccept, parseMediaType } from './media-type.ts';
import { parseRoute } from './routes.ts';
import { readSearchParams } from './search-params.ts';

function check(path: string, expected: unknown): void {
  assert.deepEqual(JSON.parse(JSON.stringify(parseRoute(path) ?? null)), expected, path);
}

test('paths are what the standard says', () => {
  check('/studies', { kind: 'search', level: 'study', place: {} });
  check('/series', { kind: 'search', level: 'series', place: {} });
  check('/studies/1.2/instances', { kind: 'search', level: 'instance', place: { study: '1.2' } });
  check('/studies/1.2', { kind: 'retrieve', place: { study: '1.2' } });
  check('/studies/1/series/2/metadata', { kind: 'metadata', place: { study: '1', series: '2' } });
  const place = { study: '1', series: '2', instance: '3' };
  check('/studies/1/series/2/instances/3/frames/1,5', { kind: 'frames', place, frames: [1, 5] });
  check('/studies/1/series/2/instances/3/frames/2/rendered', { kind: 'rendered', place, frames: [2] });
  check('/studies/1/series/2/instances/3/bulkdata/00091010/0/7fe00010', {
    kind: 'bulkdata',
    place,
    path: [0x0009_1010, 0, 0x7fe0_0010],
  });
  for (const path of ['', '/', '/x', '/studies/1/x', '/series/1', '/studies/1/instances/3', '/studies/1/frames/1'])
    check(path, null);
});

test('an Accept is read in the order of its wishes', () => {
  const types = (text: string): string[] => parseAccept(text, null).map(({ type }) => type);
  assert.deepEqual(types('a/b;q=0.1, c/d, e/f;q=0'), ['c/d', 'a/b']);
  assert.deepEqual(types('multipart/related; type="a/b, c"; q=0.5, nonsense, */*;q=0.9'), ['*/*', 'multipart/related']);
  assert.deepEqual(
    parseAccept('x/y', 'application/dicom json').map(({ type }) => type),
    ['application/dicom+json'],
  );
  assert.equal(parseMediaType('multipart/related; boundary="a;\\"b"')?.params.get('boundary'), 'a;"b');
});

const words = fc.constantFrom(
  'studies',
  'series',
  'instances',
  'frames',
  '1.2',
  '%',
  '%2f',
  'bulkdata',
  '..',
  '1,2',
  '',
);

test('whatever is asked for ends in a route, in none, or in a named error', () => {
  const named = (run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      assert.ok(error instanceof ArchiveError && error.code !== 'INTERNAL', String(error));
    }
  };
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.string()), { maxLength: 10 }), (segments) => {
      named(() => parseRoute(`/${segments.join('/')}`));
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, other) => {
      named(() => parseAccept(text, other));
      named(() => parseMediaType(text));
      named(() => readSearchParams(new URLSearchParams(`${text}=${other}&includefield=${text}`), {}));
    }),
    { numRuns: 2000 },
  );
});
