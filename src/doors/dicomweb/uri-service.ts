// WADO-URI (PS3.18 chapter 9): one instance by its UIDs in a query, as a file or a picture.
//
// Left out on purpose: anonymising and annotating. Who asks for them is refused and does not get more than was meant to be seen.

import { ArchiveError } from '../../base/index.ts';
import type { Exchange, Instance } from './exchange.ts';
import { findInstance } from './found-instances.ts';
import { type MediaRange, parseAccept, takesType } from './media-type.ts';
import { decimalOf, formatFor, type PictureParts, qualityOf, sendPictures } from './picture-service.ts';
import { checkSyntaxes, type Wanted } from './retrieve-forms.ts';
import { sendSingle } from './retrieve-service.ts';
import { framesOf } from './routes.ts';

const dicomType = 'application/dicom';

export async function answerUri(exchange: Exchange, parts: PictureParts): Promise<void> {
  const { params } = exchange;
  if (params.get('requestType')?.toUpperCase() !== 'WADO')
    throw new ArchiveError('ARGUMENT_INVALID', 'requestType is WADO');
  for (const name of ['anonymize', 'annotation'])
    if (params.has(name)) throw new ArchiveError('ARGUMENT_INVALID', `${name} is not done here`);
  const types = parseAccept(undefined, params.get('contentType') ?? 'image/jpeg');
  const instance = await findInstance(exchange, {
    study: uidOf(params, 'studyUID'),
    series: uidOf(params, 'seriesUID'),
    instance: uidOf(params, 'objectUID'),
  });
  if (!types.some(({ type }) => takesType(type, dicomType))) return sendPicture(exchange, instance, { types, parts });
  const asked = params.get('transferSyntax');
  const wanted: Wanted = { form: 'single', syntaxes: [asked ?? undefined] };
  checkSyntaxes([instance], wanted);
  await sendSingle(exchange, instance, wanted);
}

async function sendPicture(
  exchange: Exchange,
  instance: Instance,
  { types, parts }: { readonly types: readonly MediaRange[]; readonly parts: PictureParts },
): Promise<void> {
  const { params } = exchange;
  const size = ['columns', 'rows'].map((name) => params.get(name));
  const given = size.map((each) => (each === null ? undefined : Math.floor(decimalOf(each))));
  const [columns, rows] = given;
  const most = 65_535;
  const hasWindow = params.has('windowCenter') || params.has('windowWidth');
  const frame = framesOf(params.get('frameNumber') ?? '1');
  const shown = {
    window: hasWindow
      ? { center: decimalOf(params.get('windowCenter')), width: decimalOf(params.get('windowWidth')), shape: undefined }
      : undefined,
    viewport:
      columns === undefined && rows === undefined
        ? undefined
        : { columns: columns ?? most, rows: rows ?? most, mayEnlarge: true },
  };
  const format = formatFor(types, { kind: 'rendered', quality: qualityOf(params.get('imageQuality')), many: false });
  await sendPictures(exchange, instance, { kind: 'rendered', frames: frame.slice(0, 1), format, shown }, parts);
}

function uidOf(params: URLSearchParams, name: string): string {
  const uid = params.get(name) ?? '';
  if (uid === '' || uid.length > 64) throw new ArchiveError('ARGUMENT_INVALID', `${name} is a UID`);
  return uid;
}
