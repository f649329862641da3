/* docs/errors.md against the registry: every code, with the word that says whether to try again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { errorCodes, errorRegistry } from '../src/base/index.ts';

test('every code is explained, and no other', () => {
  const page = readFileSync(path.resolve(import.meta.dirname, '..', 'docs', 'errors.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (\w+) \| (.+) \| (.+) \|$/gm)].map(([, code, again]) => [
    code,
    again,
  ]);
  assert.deepEqual(
    rows,
    errorCodes.map((code) => [code, errorRegistry[code].retry]),
  );
});
