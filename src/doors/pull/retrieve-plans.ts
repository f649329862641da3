// What is proposed so that objects come by C-GET as they are stored at the source.
//
// Invariants: each transfer syntax has a context of its own, so that a source sends its bytes as they are and converts only what it cannot say otherwise;
// an association proposes at most 128 contexts, its own C-GET among them; classes that the source named come first, the rest only when it named none.
// Left out on purpose: asking. Who asks goes from plan to plan until nothing is missing.

import {
  explicitBig,
  explicitLittle,
  implicitLittle,
  isOtherThanStorage,
  storageClassUids,
} from '../../dicom/index.ts';

export const studyRootGet = '1.2.840.10008.5.1.4.1.2.2.3';

export type Proposal = { readonly abstractSyntax: string; readonly transferSyntaxes: readonly string[] };

const jpeg = '1.2.840.10008.1.2.4.';
const uncompressed: readonly string[] = [explicitLittle.uid, implicitLittle.uid];
const usual = [
  ...uncompressed,
  ...['50', '51', '57', '70', '80', '81', '90', '91', '201', '202', '203'].map((end) => jpeg + end),
  '1.2.840.10008.1.2.5', // RLE
];
const rare = [
  explicitBig.uid,
  '1.2.840.10008.1.2.1.99', // deflated
  ...['100', '101', '102', '103', '104', '105', '106', '107', '108', '92', '93', '110', '111', '112'].map(
    (end) => jpeg + end,
  ),
  '1.2.840.113619.5.2', // GE, implicit with big-endian pixels
];
/** One of 128 is for the C-GET itself. */
const proposalsMax = 127;

const image = '1.2.840.10008.5.1.4.1.1.';
/** What most archives hold, for a source that names no classes. */
const common = [
  '2',
  '4',
  '1',
  '1.1',
  '1.2',
  '6.1',
  '3.1',
  '7',
  '12.1',
  '12.2',
  '20',
  '128',
  '88.11',
  '88.22',
  '88.33',
  '88.59',
  '11.1',
  '104.1',
].map((end) => image + end);

/** The contexts of one association after the other. */
export function planRetrieval(classes: readonly string[]): readonly (readonly Proposal[])[] {
  const known = [...new Set(classes)].filter((uid) => !isOtherThanStorage(uid));
  if (known.length > 0) return [...portionsOf(offers(known, usual)), ...portionsOf(offers(known, rare))];
  const others = storageClassUids.filter((uid) => !common.includes(uid));
  return [
    ...portionsOf([...offers(common, uncompressed), ...offers(others, [uncompressed])]),
    ...portionsOf(
      offers(
        common,
        usual.filter((syntax) => !uncompressed.includes(syntax)),
      ),
    ),
  ];
}

function offers(classes: readonly string[], syntaxes: readonly (string | readonly string[])[]): Proposal[] {
  return classes.flatMap((abstractSyntax) =>
    syntaxes.map((syntax) => ({ abstractSyntax, transferSyntaxes: typeof syntax === 'string' ? [syntax] : syntax })),
  );
}

function portionsOf(proposals: readonly Proposal[]): Proposal[][] {
  const portions: Proposal[][] = [];
  for (let at = 0; at < proposals.length; at += proposalsMax) portions.push(proposals.slice(at, at + proposalsMax));
  return portions;
}
