/* The XML of the Native DICOM Model: what PS3.19 A.1 shows, and that no value breaks its form. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { xmlOfDicomJson } from './json-to-xml.ts';

function check(json: object, expected: string): void {
  const xml = xmlOfDicomJson(json);
  const inside = /<NativeDicomModel [^>]*>([^]*)<\/NativeDicomModel>/.exec(xml)?.[1];
  assert.equal(inside, expected);
}

test('values, names, items, bytes and references have their elements', () => {
  check(
    { '00080061': { vr: 'CS', Value: ['CT', null, 'MR'] } },
    '<DicomAttribute tag="00080061" vr="CS" keyword="ModalitiesInStudy"><Value number="1">CT</Value><Value number="2"></Value><Value number="3">MR</Value></DicomAttribute>',
  );
  check(
    { '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Zhang^San^^Dr', Ideographic: '张^三' }] } },
    '<DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1"><Alphabetic><FamilyName>Zhang</FamilyName><GivenName>San</GivenName><NamePrefix>Dr</NamePrefix></Alphabetic><Ideographic><FamilyName>张</FamilyName><GivenName>三</GivenName></Ideographic></PersonName></DicomAttribute>',
  );
  check(
    { '00081115': { vr: 'SQ', Value: [{ '00080060': { vr: 'CS', Value: ['CT'] } }, null] } },
    '<DicomAttribute tag="00081115" vr="SQ" keyword="ReferencedSeriesSequence"><Item number="1"><DicomAttribute tag="00080060" vr="CS" keyword="Modality"><Value number="1">CT</Value></DicomAttribute></Item><Item number="2"></Item></DicomAttribute>',
  );
  check({ '00080050': { vr: 'SH' } }, '<DicomAttribute tag="00080050" vr="SH" keyword="AccessionNumber"/>');
  check(
    { '7FE00010': { vr: 'OW', BulkDataURI: 'http://x/?a&b' } },
    '<DicomAttribute tag="7FE00010" vr="OW" keyword="PixelData"><BulkData uri="http://x/?a&amp;b"/></DicomAttribute>',
  );
});

test('a private attribute names its creator', () => {
  check(
    {
      '00091000': { vr: 'LO', Value: ['nobody'] },
      '00290010': { vr: 'LO', Value: ['ACME <1>'] },
      '00291008': { vr: 'UN', InlineBinary: 'AAE=' },
    },
    '<DicomAttribute tag="00091000" vr="LO"><Value number="1">nobody</Value></DicomAttribute><DicomAttribute tag="00290008" vr="UN" privateCreator="ACME &lt;1&gt;"><InlineBinary>AAE=</InlineBinary></DicomAttribute>',
  );
});

test('no value breaks the form', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const xml = xmlOfDicomJson({ '00104000': { vr: 'LT', Value: [text] } });
      const value = /<Value number="1">([^]*)<\/Value><\/DicomAttribute>/.exec(xml)?.[1] ?? '';
      assert.ok(!/[<\x00-\x08\x0b\x0c\x0e-\x1f]|&(?!amp;|lt;|gt;|quot;|#13;)/.test(value));
    }),
  );
});
