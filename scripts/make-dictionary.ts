// Makes src/dicom/data/dictionary-table.ts: every attribute of PS3.6 and every command element of PS3.7, as short lines of text.
//
//   node scripts/make-dictionary.ts LIST > src/dicom/data/dictionary-table.ts
//
// LIST has one attribute a line, five fields with tabs between them: tag, VR, keyword, VM, origin; `#` begins a comment. It is the form in which
// DCMTK publishes the tables of the standard (dcmdata/data/dicom.dic), whose head names the edition; only those facts are taken over.
// A VR in small letters is one the encoder chooses: ox is OB or OW, xs is US or SS, lt is US, SS or OW, px pixel data, up an offset (UL), na none.

import { readFileSync } from 'node:fs';

type Row = { readonly mask: string; readonly vr: string; readonly vm: string; readonly keyword: string };

const vrNames: Record<string, string> = { px: 'ox', up: 'UL' };
const rangeMasks: Record<string, string> = { '6000-60FF': '60xx', '5000-50FF': '50xx', '7F00-7FFF': '7Fxx' };
// The list keeps single tags of these ranges; PS3.6 gives them with an x for any digit.
const wideMasks: readonly (readonly [RegExp, string])[] = [
  [/^0028041([0-3])$/, '002804x$1'],
  [/^0028080([02348])$/, '002808x$1'],
  [/^1000001([0-5])$/, '1000xxx$1'],
  [/^10100004$/, '1010xxxx'],
];

function maskOf(text: string): string {
  const [group = '', element = ''] = text.slice(1, -1).split(',');
  const mask = `${rangeMasks[group] ?? group}${element}`.replace('3100-31FF', '31xx');
  return wideMasks.reduce((each, [pattern, wide]) => each.replace(pattern, wide), mask);
}

function rowOf(line: string): Row | undefined {
  const [tag = '', vr = '', name = '', vm = '', origin = ''] = line.split('\t').map((field) => field.trim());
  if (!origin.startsWith('DICOM') || vr === 'na') return undefined;
  const mask = maskOf(tag);
  if (!/^[0-9A-Fx]{8}$/.test(mask)) throw new Error(`a tag of another form: ${tag}`);
  const keyword = name.replace(/^(RETIRED|DICONDE|DICOS|ACR_NEMA)_/, '').replace(/^ACR_NEMA_/, '');
  return { mask, vr: vrNames[vr] ?? vr, vm, keyword };
}

const [path = ''] = process.argv.slice(2);
const text = readFileSync(path, 'utf8');
const edition = /PS 3\.6-(\w+)/.exec(text)?.[1] ?? 'of unknown edition';
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('('))
  .map(rowOf)
  .filter((row) => row !== undefined);
const groups = new Map<string, Row[]>();
const seen = new Map<string, string>();
for (const row of rows.sort((a, b) => (a.mask < b.mask ? -1 : 1))) {
  for (const key of [row.mask, row.keyword]) {
    if (seen.has(key)) throw new Error(`${key} is there twice: ${row.mask} and ${seen.get(key)}`);
    seen.set(key, row.mask);
  }
  const group = row.mask.slice(0, 4);
  groups.set(group, [...(groups.get(group) ?? []), row]);
}

const lines = [...groups].map(([group, members]) => {
  const entries = members.map(({ mask, vr, vm, keyword }) => `${mask.slice(4)}${vr}${vm === '1' ? '' : vm} ${keyword}`);
  return `  '${group}:${entries.join(';')}',`;
});
process.stdout.write(`// Every attribute of PS3.6 ${edition} and command element of PS3.7, retired ones included. Made by scripts/make-dictionary.ts: not edited by hand.
//
// One line a group: "gggg:" and entries with ";" between them: element number, VR, VM unless it is 1, a space, keyword. An x stands for any digit.
// ox is OB or OW, xs is US or SS, lt is US, SS or OW. Items and delimiters, which are no attributes, are left out.

export const dictionaryEdition = '${edition}';

export const dictionaryLines: readonly string[] = [
${lines.join('\n')}
];
`);
