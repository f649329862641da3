// Files: with everything, and with what careless writers leave out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DicomBytes, fileHead, forms } from '../../../tests/support/dicom-bytes.ts';
import { concatBytes } from '../../base/index.ts';
import type { OddityKind } from './oddity.ts';
import { Part10Reader } from './part10-reader.ts';
import { tags } from './tag.ts';
import { explicitBig, explicitLittle, implicitLittle, type TransferSyntax } from './transfer-syntax.ts';

const dicm = new Uint8Array(Buffer.from('DICM'));
const preamble = new Uint8Array(128);

function body(form: (typeof forms)[keyof typeof forms]): Uint8Array {
  return new DicomBytes(form).element(0x0008_0060, 'CS', 'CT').element(0x0010_0020, 'LO', 'P-1').bytes;
}

/** Reads the file whole and in single bytes, and expects the same. */
function check(
  parts: readonly Uint8Array[],
  expected: { syntax: TransferSyntax; odd: OddityKind[]; guessed?: boolean; offset?: number },
): void {
  const file = concatBytes(parts);
  for (const pieceBytes of [file.length, 1]) {
    const reader = new Part10Reader();
    for (let at = 0; at < file.length; at += pieceBytes) reader.push(file.slice(at, at + pieceBytes));
    const dataSet = reader.finish();
    assert.equal(dataSet.string(tags.PatientID), 'P-1');
    assert.equal(reader.meta?.syntax, expected.syntax);
    assert.equal(reader.meta?.guessed, expected.guessed ?? false);
    assert.deepEqual(
      reader.oddities.map((oddity) => oddity.kind),
      expected.odd,
    );
    if (expected.offset !== undefined) assert.equal(reader.meta?.dataSetOffset, expected.offset);
    assert.equal(reader.offset, file.length);
  }
}

test('a file with preamble and meta information is read in the syntax that it names', () => {
  for (const [syntax, form] of [
    [implicitLittle, forms.implicit],
    [explicitLittle, forms.explicit],
    [explicitBig, forms.big],
  ] as const) {
    const head = fileHead(syntax.uid);
    check([head, body(form)], { syntax, odd: [], offset: head.length });
  }
});

test('a file without preamble is read', () => {
  const head = fileHead(implicitLittle.uid);
  check([head.subarray(128), body(forms.implicit)], { syntax: implicitLittle, odd: ['preamble-missing'] });
  check([head.subarray(132), body(forms.implicit)], { syntax: implicitLittle, odd: ['preamble-missing'] });
});

test('without meta information the syntax is guessed', () => {
  for (const [syntax, form] of [
    [implicitLittle, forms.implicit],
    [explicitLittle, forms.explicit],
    [explicitBig, forms.big],
  ] as const) {
    check([body(form)], { syntax, odd: ['meta-missing'], guessed: true, offset: 0 });
    check([preamble, dicm, body(form)], {
      syntax,
      odd: ['meta-missing', 'meta-length'],
      guessed: true,
      offset: 132,
    });
  }
});

test('a wrong or absent length of the meta information is seen through', () => {
  const head = fileHead(explicitLittle.uid);
  for (const length of [0, 5, 20, 5000, 0xffff_fff0]) {
    const wrong = Uint8Array.from(head);
    new DataView(wrong.buffer).setUint32(140, length, true);
    check([wrong, body(forms.explicit)], { syntax: explicitLittle, odd: ['meta-length'], offset: head.length });
  }
  check([head.subarray(0, 132), head.subarray(144), body(forms.explicit)], {
    syntax: explicitLittle,
    odd: ['meta-length'],
    offset: head.length - 12,
  });
});

test('meta information without a syntax leaves it to be guessed', () => {
  const meta = new DicomBytes().element(0x0002_0002, 'UI', '1.2.840.10008.5.1.4.1.1.7\0').bytes;
  const length = new DicomBytes().head(0x0002_0000, 'UL', 4).u32(meta.length).bytes;
  check([preamble, dicm, length, meta, body(forms.explicit)], {
    syntax: explicitLittle,
    odd: ['meta-missing'],
    guessed: true,
  });
});

test('meta information without VRs is read', () => {
  const meta = new DicomBytes(forms.implicit).element(0x0002_0010, 'UI', '1.2.840.10008.1.2.1\0').bytes;
  check([preamble, dicm, meta, body(forms.explicit)], {
    syntax: explicitLittle,
    odd: ['meta-length'],
  });
});

test('what is no DICOM file is said to be none, with the place', () => {
  const fails = (bytes: Uint8Array, fault: string): void => {
    const reader = new Part10Reader();
    assert.throws(
      () => {
        reader.push(bytes);
        reader.finish();
      },
      { code: 'DICOM_MALFORMED', fault },
    );
    assert.equal(reader.state, 'failed');
  };
  fails(new Uint8Array(0), 'foreign');
  fails(new Uint8Array(1000), 'foreign');
  fails(new Uint8Array(Buffer.from('%PDF-1.7 and so on and so on')), 'foreign');
  fails(new Uint8Array(Buffer.from('GIF89a')), 'foreign');
  fails(concatBytes([preamble, dicm]), 'truncated');
  fails(fileHead(explicitLittle.uid).subarray(0, 200), 'truncated');
  fails(concatBytes([preamble, dicm, new Uint8Array(Buffer.from('\x02\0\x10\0UIxxxxxxx', 'latin1'))]), 'truncated');
});

test('meta information that never ends is given up at its limit', () => {
  const reader = new Part10Reader();
  const endless = new DicomBytes().element(0x0002_0100, 'UI', 'x'.repeat(60_000)).bytes;
  assert.throws(
    () => {
      reader.push(concatBytes([preamble, dicm]));
      for (let k = 0; k < 10; k++) reader.push(endless);
    },
    { code: 'DICOM_MALFORMED', fault: 'meta' },
  );
});

test('meta information that comes in single bytes costs no more than its length', () => {
  const reader = new Part10Reader();
  const started = process.cpuUsage();
  reader.push(concatBytes([preamble, dicm]));
  const meta = new DicomBytes().element(0x0002_0102, 'OB', new Uint8Array(60_000)).bytes;
  for (const byte of meta) reader.push(Uint8Array.of(byte));
  const { user } = process.cpuUsage(started);
  assert.ok(user < 2_000_000, `${user / 1000} ms`);
  assert.equal(reader.state, 'reading');
});
