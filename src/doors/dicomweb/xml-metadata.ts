// WADO-RS /metadata in XML: the same headers as in JSON, each as a part.
//
// Invariant: one header is held at a time.

import type { Random } from '../../base/index.ts';
import { answeredUnchanged, weakTagHeaders } from './conditional.ts';
import type { Exchange } from './exchange.ts';
import { findInstances, stampOf } from './found-instances.ts';
import { headerJson } from './metadata-service.ts';
import { sendXmlParts } from './model-forms.ts';
import type { Place } from './routes.ts';

export async function answerXmlMetadata(exchange: Exchange, place: Place, random: Random): Promise<void> {
  const { request, reply, archive, base } = exchange;
  const instances = await findInstances(exchange, place);
  const stamp = stampOf(instances, `metadata xml ${base}`);
  if (answeredUnchanged(request, reply, stamp)) return;
  async function* headers(): AsyncGenerator<Uint8Array> {
    for (const instance of instances) yield await headerJson(archive, instance, base);
  }
  await sendXmlParts(reply, random, { ...weakTagHeaders(stamp), vary: 'accept' }, headers());
}
