// Tags, VRs, the dictionary, transfer syntaxes, SOP classes and UIDs: facts, and the forms they are written in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../base/index.ts';
import { dictionaryEntry, implicitVrOf, keywordOf, tagOfKeyword } from './dictionary.ts';
import { dictionaryLines } from './dictionary-table.ts';
import { isOtherThanStorage, isStorageClass, sopClassName, storageClassUids } from './sop-class.ts';
import {
  groupOf,
  isGroupLength,
  isPixelData,
  isPrivateCreator,
  isPrivateTag,
  makeTag,
  parseTag,
  privateCreatorOf,
  tagHex,
  tags,
  tagText,
} from './tag.ts';
import { isKnownTransferSyntax, transferSyntaxes, transferSyntaxOf } from './transfer-syntax.ts';
import { implementationClassUid, implementationVersionName, isUid, makeUid, parseUid } from './uid.ts';
import { foreignVr, hasLongForm, isVr, vrFacts, vrOfLetters } from './vr.ts';

test('tags are written and read in their usual forms', () => {
  assert.equal(tagHex(tags.PatientID), '00100020');
  assert.equal(tagText(tags.PixelData), '(7FE0,0010)');
  for (const text of ['00100020', '0010,0020', '(0010,0020)']) assert.equal(parseTag(text), tags.PatientID);
  assert.equal(parseTag('7fe00010'), tags.PixelData);
  assert.equal(parseTag('fffee000'), 0xfffe_e000);
  for (const text of ['', '0010002', '001000200', '(0010,0020', 'PatientID', '0010 0020']) {
    assert.equal(parseTag(text), undefined);
  }
});

test('private elements, their creators and group lengths are told by the number', () => {
  assert.ok(isPrivateTag(0x0009_1001) && !isPrivateTag(0x0010_0020));
  assert.ok(isPrivateCreator(0x0009_0010) && !isPrivateCreator(0x0009_1010) && !isPrivateCreator(0x0008_0010));
  assert.equal(privateCreatorOf(0x0009_1234), 0x0009_0012);
  assert.ok(isGroupLength(0x0008_0000) && !isGroupLength(0x0008_0001));
  assert.equal(makeTag(0xfffe, 0xe000), 0xfffe_e000);
  assert.equal(groupOf(0xfffe_e000), 0xfffe);
  assert.ok(isPixelData(tags.FloatPixelData) && isPixelData(tags.DoubleFloatPixelData));
});

test('the named tags are those of the dictionary', () => {
  for (const [keyword, tag] of Object.entries(tags)) {
    assert.equal(tagOfKeyword(keyword), tag, keyword);
    assert.equal(keywordOf(tag), keyword);
  }
});

test('the dictionary knows every attribute, retired and of repeating groups too', () => {
  assert.ok(dictionaryLines.length > 70);
  const check = (tag: number, keyword: string, vr: string, vm: string, choice?: string): void => {
    const entry = dictionaryEntry(tag);
    assert.deepEqual([entry?.keyword, entry?.vr, entry?.vm, entry?.choice], [keyword, vr, vm, choice]);
  };
  check(0x0010_0010, 'PatientName', 'PN', '1');
  check(0x0000_0100, 'CommandField', 'US', '1');
  check(0x0002_0010, 'TransferSyntaxUID', 'UI', '1');
  check(0x0004_1500, 'ReferencedFileID', 'CS', '1-8');
  check(0x0028_0106, 'SmallestImagePixelValue', 'US', '1', 'US|SS');
  check(0x0028_3006, 'LUTData', 'OW', '1-n', 'US|OW');
  check(0x7fe0_0010, 'PixelData', 'OW', '1', 'OB|OW');
  check(0x6000_3000, 'OverlayData', 'OW', '1', 'OB|OW');
  check(0x601e_0010, 'OverlayRows', 'US', '1');
  check(0x5002_0010, 'NumberOfPoints', 'US', '1');
  check(0x0020_3142, 'SourceImageIDs', 'CS', '1-n');
  check(0x0028_0452, 'CoefficientCoding', 'LO', '1-n');
  check(0x1000_1232, 'HuffmanTableSize', 'US', '1');
  check(0x1010_1234, 'ZonalMap', 'US', '1-n');
  check(0x7f02_0010, 'VariablePixelData', 'OW', '1', 'OB|OW');
  check(0xfffa_fffa, 'DigitalSignaturesSequence', 'SQ', '1');
  for (const tag of [0x0008_0006 + 1, 0x6001_3000, 0x0009_0010, 0x0009_1001]) {
    assert.equal(dictionaryEntry(tag), undefined);
    assert.equal(keywordOf(tag), tagHex(tag));
  }
  assert.equal(tagOfKeyword('OverlayData'), 0x6000_3000);
  assert.equal(tagOfKeyword('patientname'), undefined);
});

test('what carries no VR is read by the dictionary, by its place, or as unknown', () => {
  const check = (tag: number, vr: string): void => assert.equal(implicitVrOf(tag).facts.vr, vr);
  check(0x0010_0010, 'PN');
  check(0x0010_0000, 'UL');
  check(0x0009_0000, 'UL');
  check(0x0009_0010, 'LO');
  check(0x0009_1010, 'UN');
  check(0x6002_3000, 'OW');
  check(0x0010_fff0, 'UN');
});

test('every VR has its form, its words and its kind', () => {
  const check = (vr: Parameters<typeof vrFacts>[0], facts: object): void =>
    assert.deepEqual({ ...vrFacts(vr), ...facts }, vrFacts(vr), vr);
  check('PN', { kind: 'text', longForm: false, wordBytes: 1, multiple: true, trim: 'both', padByte: 0x20 });
  check('LT', { kind: 'text', multiple: false, trim: 'end' });
  check('UC', { kind: 'text', longForm: true, multiple: true, trim: 'end' });
  check('UR', { kind: 'string', longForm: true, multiple: false });
  check('UI', { kind: 'string', multiple: true, padByte: 0 });
  check('DS', { kind: 'string', multiple: true });
  check('US', { kind: 'integer', wordBytes: 2, longForm: false, multiple: false });
  check('UV', { kind: 'integer', wordBytes: 8, longForm: true });
  check('FL', { kind: 'float', wordBytes: 4, longForm: false });
  check('AT', { kind: 'tag', wordBytes: 2 });
  check('OW', { kind: 'bytes', wordBytes: 2, longForm: true, padByte: 0 });
  check('OB', { kind: 'bytes', wordBytes: 1 });
  check('UN', { kind: 'bytes', wordBytes: 1, longForm: true });
  check('SQ', { kind: 'sequence', longForm: true });
  assert.equal(vrOfLetters(0x50, 0x4e), vrFacts('PN'));
  assert.equal(vrOfLetters(0x5a, 0x5a), undefined);
  assert.equal(vrOfLetters(0x00, 0xff), undefined);
  assert.ok(isVr('OV') && !isVr('ZZ') && !isVr('pn'));
  assert.ok(hasLongForm(foreignVr(0x5a, 0x5a)) && !hasLongForm(foreignVr(0x3f, 0x3f)));
  assert.equal(vrFacts(foreignVr(0x5a, 0x5a)), vrFacts('UN'));
});

test('transfer syntaxes say how they are read; unknown ones are taken for explicit and encapsulated', () => {
  const check = (uid: string, traits: string): void => {
    const { explicit, bigEndian, deflated, encapsulated, lossy, video, pixelsSwapped } = transferSyntaxOf(uid);
    const said = Object.entries({ explicit, bigEndian, deflated, encapsulated, lossy, video, pixelsSwapped });
    assert.equal(said.flatMap(([name, value]) => (value ? [name] : [])).join(' '), traits, uid);
  };
  check('1.2.840.10008.1.2', '');
  check('1.2.840.10008.1.2.1', 'explicit');
  check('1.2.840.10008.1.2.2', 'explicit bigEndian');
  check('1.2.840.10008.1.2.1.99', 'explicit deflated');
  check('1.2.840.10008.1.2.1.98', 'explicit encapsulated');
  check('1.2.840.10008.1.2.4.50', 'explicit encapsulated lossy');
  check('1.2.840.10008.1.2.4.57', 'explicit encapsulated');
  check('1.2.840.10008.1.2.4.70', 'explicit encapsulated');
  check('1.2.840.10008.1.2.4.80', 'explicit encapsulated');
  check('1.2.840.10008.1.2.4.81', 'explicit encapsulated lossy');
  check('1.2.840.10008.1.2.4.90', 'explicit encapsulated');
  check('1.2.840.10008.1.2.4.91', 'explicit encapsulated lossy');
  check('1.2.840.10008.1.2.4.94', 'explicit lossy');
  check('1.2.840.10008.1.2.4.95', 'explicit deflated lossy');
  check('1.2.840.10008.1.2.4.102', 'explicit encapsulated lossy video');
  check('1.2.840.10008.1.2.4.108', 'explicit encapsulated lossy video');
  for (const end of [201, 202]) check(`1.2.840.10008.1.2.4.${end}`, 'explicit encapsulated');
  check('1.2.840.10008.1.2.4.203', 'explicit encapsulated lossy');
  check('1.2.840.10008.1.2.5', 'explicit encapsulated');
  check('1.2.840.10008.1.2.8.1', 'explicit encapsulated');
  check('1.2.840.113619.5.2', 'pixelsSwapped');
  check('1.2.3.4', 'explicit encapsulated lossy');
  assert.ok(!transferSyntaxOf('1.2.3.4').known && !isKnownTransferSyntax('1.2.3.4'));
  assert.ok(isKnownTransferSyntax('1.2.840.10008.1.2.5'));
  assert.equal(new Set(transferSyntaxes.map((syntax) => syntax.uid)).size, transferSyntaxes.length);
  assert.ok(transferSyntaxes.every((syntax) => isUid(syntax.uid) && syntax.known));
});

test('SOP classes have names, and what is not for storage is known', () => {
  assert.equal(sopClassName('1.2.840.10008.5.1.4.1.1.2'), 'CT Image Storage');
  assert.equal(sopClassName('1.2.840.10008.1.1'), 'Verification');
  assert.equal(sopClassName('1.2.3'), undefined);
  assert.ok(storageClassUids.length > 200 && storageClassUids.every(isUid));
  assert.ok(storageClassUids.every((uid) => isStorageClass(uid) && !isOtherThanStorage(uid)));
  for (const uid of [
    '1.2.840.10008.1.1',
    '1.2.840.10008.5.1.4.1.2.2.1',
    '1.2.840.10008.5.1.4.31',
    '1.2.840.10008.1.20.1',
  ]) {
    assert.ok(isOtherThanStorage(uid) && !isStorageClass(uid), uid);
  }
  assert.ok(!isOtherThanStorage('1.2.840.10008.5.1.4.1.1.9999') && !isOtherThanStorage('1.3.6.1.4.1.1'));
});

test('UIDs are digits in components, at most 64 characters; padding is taken off', () => {
  for (const uid of ['1.2', '1.2.840.10008.1.1', '2.25.0', '1.02.3']) assert.ok(isUid(uid), uid);
  for (const uid of ['', '1', '1.', '.1', '1..2', '1.a', '1.2 ', `1.${'2'.repeat(63)}`]) assert.ok(!isUid(uid), uid);
  assert.equal(parseUid('1.2.3\0'), '1.2.3');
  assert.equal(parseUid('1.2.3 \0 '), '1.2.3');
  assert.equal(parseUid(' 1.2.3'), undefined);
});

test('new UIDs are 128 random bits under 2.25', () => {
  const random = new SeededRandom(5);
  const made = new Set(Array.from({ length: 100 }, () => makeUid(random)));
  assert.equal(made.size, 100);
  for (const uid of made) assert.match(uid, /^2\.25\.(0|[1-9]\d{0,38})$/);
  assert.match(implementationClassUid, /^2\.25\.[1-9]\d{0,38}$/);
  assert.ok(implementationVersionName.length <= 16);
});
