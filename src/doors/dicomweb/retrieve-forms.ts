// In what an instance may leave: what an Accept says of application/dicom, as a form of answer and transfer syntaxes in order.
//
// Invariants: `*` is what is stored; where no syntax is named it is explicit little endian where that can be, else what is stored, since an object in a
// syntax that was not hoped for is worth more than none; a syntax that was named and cannot be is a refusal (406) and never another one.

import { syntaxFor } from '../../archive/index.ts';
import { transferSyntaxOf } from '../../dicom/index.ts';
import type { Instance } from './exchange.ts';
import { HttpProblem } from './http-problem.ts';
import { type MediaRange, partTypeOf, takesType } from './media-type.ts';

const dicomType = 'application/dicom';
const explicitLittleEndian = '1.2.840.10008.1.2.1';

export type RetrieveForm = 'multipart' | 'single' | 'zip';

export type Wanted = {
  readonly form: RetrieveForm;
  /** Transfer syntaxes in order; `*` for the stored one, undefined where none was named. */
  readonly syntaxes: readonly (string | undefined)[];
};

export function wantedForm(accepts: readonly MediaRange[], mayBeSingle: boolean): Wanted {
  const formOf = (range: MediaRange): RetrieveForm | undefined => {
    const { multipart, type } = partTypeOf(range);
    if (multipart) return takesType(type, dicomType) ? 'multipart' : undefined;
    if (type === '*/*') return 'multipart';
    if (takesType(type, dicomType) && mayBeSingle) return 'single';
    return type === 'application/zip' ? 'zip' : undefined;
  };
  const form = accepts.map(formOf).find((each) => each !== undefined);
  if (form === undefined)
    throw new HttpProblem(
      406,
      `this is given as multipart/related; type="${dicomType}"${mayBeSingle ? `, as ${dicomType}` : ''} or as application/zip`,
    );
  const ranges = accepts.filter((range) => formOf(range) === form);
  return { form, syntaxes: ranges.map(({ params }) => params.get('transfer-syntax')) };
}

/** What an instance may leave in, in order. */
export function takesOf(instance: Instance, { syntaxes }: Wanted): readonly string[] {
  const takes: string[] = [];
  for (const syntax of syntaxes) {
    if (syntax === '*') takes.push(instance.syntaxUid);
    else if (syntax !== undefined) takes.push(syntax, ...withoutPixels(instance, syntax));
    else
      takes.push(syntaxFor(instance, [explicitLittleEndian]) === undefined ? instance.syntaxUid : explicitLittleEndian);
  }
  return takes;
}

/** What has no pixels says the same in every explicit syntax: it leaves in the plain one where a compressed one is asked for. */
function withoutPixels({ headBytes, sizeBytes }: Instance, syntax: string): readonly string[] {
  return headBytes >= sizeBytes && transferSyntaxOf(syntax).encapsulated ? [explicitLittleEndian] : [];
}

/** 406 when one of them cannot leave in anything that is taken. */
export function checkSyntaxes(instances: readonly Instance[], wanted: Wanted): void {
  if (instances.some((each) => syntaxFor(each, takesOf(each, wanted)) === undefined))
    throw new HttpProblem(406, 'what is stored cannot be given in a transfer syntax that was asked for');
}
