// One request that is being answered, and for whom.

import type { IncomingMessage } from 'node:http';
import type { Answer, Archive } from '../../archive/index.ts';
import type { TenantId } from '../../base/index.ts';
import type { MediaRange } from './media-type.ts';
import type { Reply } from './reply.ts';
import type { Place } from './routes.ts';

export type Instance = NonNullable<Answer['instance']>;

export type Exchange = {
  readonly request: IncomingMessage;
  readonly reply: Reply;
  readonly archive: Archive;
  readonly tenant: TenantId;
  readonly user: string;
  /** The service's root as the client sees it, without a slash at its end. */
  readonly base: string;
  readonly params: URLSearchParams;
  readonly accepts: readonly MediaRange[];
};

export function urlOf(base: string, { study, series, instance }: Place): string {
  let url = base;
  if (study !== undefined) url += `/studies/${encodeURIComponent(study)}`;
  if (series !== undefined) url += `/series/${encodeURIComponent(series)}`;
  if (instance !== undefined) url += `/instances/${encodeURIComponent(instance)}`;
  return url;
}
