// WADO-URI (PS3.18 chapter 9): one instance by its UIDs in a query, as a file or a picture.
//
// Left out on purpose: anonymising. Who asks for it is refused and does not get more than was meant to be seen.

import { ArchiveError } from '../../base/index.ts';
import type { Exchange, Instance } from './exchange.ts';
import { findInstance } from './found-instances.ts';
import { type MediaRange, parseAccept, takesType } from './media-type.ts';
import { pictureFormFor } from './picture-forms.ts';
import { annotationWarning, decimalOf, qualityOf } from './picture-params.ts';
import { type PictureParts, sendPictures } from './picture-service.ts';
import { checkSyntaxes, type Wanted } from './retrieve-forms.ts';
import { sendSingle } from './retrieve-service.ts';
import { framesOf } from './routes.ts';

const dicomType = 'application/dicom';

export async function answerUri(exchange: Exchange, parts: PictureParts): Promise<void> {
  const { params } = exchange;
  if (params.get('requestType')?.toUpperCase() !== 'WADO')
    throw new ArchiveError('ARGUMENT_INVALID', 'requestType is WADO');
  if (params.has('anonymize')) throw new ArchiveError('ARGUMENT_INVALID', 'anonymize is not done here');
  const types = parseAccept(undefined, params.get('contentType') ?? 'image/jpeg');
  const instance = await findInstance(exchange, {
    // Many leave these two out; the third alone says which it is.
    study: params.has('studyUID') ? uidOf(params, 'studyUID') : undefined,
    series: params.has('seriesUID') ? uidOf(params, 'seriesUID') : undefined,
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
  const form = pictureFormFor(types, {
    quality: qualityOf(params.get('imageQuality')),
    many: false,
    mayStand: false,
  });
  for (const [name, value] of Object.entries(annotationWarning(params, exchange.base)))
    exchange.reply.header(name, value);
  const subject = { instance, frames: frame.slice(0, 1) };
  await sendPictures(exchange, [subject], { kind: 'rendered', form, shown }, parts);
}

function uidOf(params: URLSearchParams, name: string): string {
  const uid = params.get(name) ?? '';
  if (uid === '' || uid.length > 64) throw new ArchiveError('ARGUMENT_INVALID', `${name} is a UID`);
  return uid;
}
