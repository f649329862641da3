// DELETE of a study, a series or an instance: it is shown no more, and its bytes stay until policy says more.
//
// Invariant: who may only read may not; the reason that is kept names the one who asked.

import type { Exchange } from './exchange.ts';
import { HttpProblem } from './http-problem.ts';
import type { Place } from './routes.ts';

export async function answerReject({ archive, tenant, user, reply }: Exchange, place: Place): Promise<void> {
  const { study, series, instance } = place;
  if (study === undefined)
    throw new HttpProblem(405, 'this is not done to such a resource', { allow: 'GET, HEAD, POST' });
  await archive.instances.hide({ tenant, study, series, instance, reason: `deleted by ${user}` });
  reply.send(204, {}, '');
}
