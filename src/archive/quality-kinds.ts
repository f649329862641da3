// What kinds of quality cases mean, in a sentence each: for people who look at a list of them.
//
// Invariant: a kind that this version does not know is told as it is; every kind that it makes has its sentence (tests/quality.test.ts walks them).

const sentences: Readonly<Record<string, string>> = {
  'other-pixels': 'an instance UID came again with other pixels, or with another document or waveform',
  'other-identity': 'an instance UID came again for another patient, study or series',
  'other-undecided': 'an instance UID came again with pixels that differ as they are coded and cannot be decoded here',
  'charset-undecided': 'texts may be in another character set than the one they were read in',
  'patient-id-missing': 'there is no Patient ID',
  'uid-form': 'a UID is not in its form',
  'instance-uid-differs': 'the SOP Instance UID is another one than the sender announced',
  'class-uid-differs': 'the SOP Class UID is another one than the sender announced',
  'syntax-unknown': 'the transfer syntax is not known here',
  'odd-length': 'a value has an odd number of bytes',
  'vr-unknown': 'a value representation is none that any edition knows',
  'implicit-in-explicit': 'value representations are missing where the transfer syntax has them',
  'explicit-in-implicit': 'value representations stand where the transfer syntax has none',
  'tag-order': 'attributes are not in the order of their tags',
  'tag-repeated': 'an attribute is there twice',
  'reserved-not-zero': 'bytes that are always zero are not',
  'delimiter-length': 'a delimiter has a length',
  'delimiter-stray': 'a delimiter stands where nothing is open',
  'delimiter-missing': 'the end of something of undefined length is not told',
  'sequence-in-unknown': 'a sequence stands in an attribute of unknown representation and known length',
  'sequence-without-items': 'what should be a sequence is none',
  'pixels-form': 'pixel data is in one piece where the transfer syntax has fragments, or the other way round',
  'zeros-after-end': 'zero bytes follow the end of the data set',
  'preamble-missing': 'a file has no preamble',
  'meta-missing': 'a file has no meta information; its transfer syntax was guessed',
  'meta-length': 'the length of the meta information is absent or wrong',
};

export const qualityKinds: readonly string[] = Object.keys(sentences);

export function qualityKindText(kind: string): string {
  return sentences[kind] ?? kind;
}
