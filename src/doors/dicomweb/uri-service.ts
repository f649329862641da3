// WADO-URI (PS3.18 chapter 9): one instance by its UIDs in a query, as a file.
//
// Left out on purpose: anonymising and annotating. Who asks for them is refused and does not get more than was meant to be seen.

import { ArchiveError } from '../../base/index.ts';
import type { Exchange } from './exchange.ts';
import { findInstance } from './found-instances.ts';
import { HttpProblem } from './http-problem.ts';
import { parseAccept, takesType } from './media-type.ts';
import { checkSyntaxes, type Wanted } from './retrieve-forms.ts';
import { sendSingle } from './retrieve-service.ts';

const dicomType = 'application/dicom';

export async function answerUri(exchange: Exchange): Promise<void> {
  const { params } = exchange;
  if (params.get('requestType')?.toUpperCase() !== 'WADO')
    throw new ArchiveError('ARGUMENT_INVALID', 'requestType is WADO');
  for (const name of ['anonymize', 'annotation'])
    if (params.has(name)) throw new ArchiveError('ARGUMENT_INVALID', `${name} is not done here`);
  const types = parseAccept(undefined, params.get('contentType'));
  if (!types.some(({ type }) => takesType(type, dicomType)))
    throw new HttpProblem(406, `an instance is given as ${dicomType}`);
  const instance = await findInstance(exchange, {
    study: uidOf(params, 'studyUID'),
    series: uidOf(params, 'seriesUID'),
    instance: uidOf(params, 'objectUID'),
  });
  const asked = params.get('transferSyntax');
  const wanted: Wanted = { form: 'single', syntaxes: [asked ?? undefined] };
  checkSyntaxes([instance], wanted);
  await sendSingle(exchange, instance, wanted);
}

function uidOf(params: URLSearchParams, name: string): string {
  const uid = params.get(name) ?? '';
  if (uid === '' || uid.length > 64) throw new ArchiveError('ARGUMENT_INVALID', `${name} is a UID`);
  return uid;
}
