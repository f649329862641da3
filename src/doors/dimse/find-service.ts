// C-FIND: an identifier to a question, each answer a pending response.
//
// Invariants: answers go out as they are found; a cancelled question stops reading; more matches than the caller's limit are an A700 after the limit was
// reached and never a silent cut.

import { ArchiveError } from '../../base/index.ts';
import { dimseStatus, gatheredBytesMax, type IncomingMessage } from '../../dicom/index.ts';
import { queryFailure } from './dimse-statuses.ts';
import { encodeAnswer, queryOf, readIdentifier } from './identifiers.ts';
import type { Served } from './served.ts';
import { queryClass } from './sop-classes.ts';

export async function answerFind(
  message: IncomingMessage,
  served: Served,
  onFault: (error: unknown) => void,
): Promise<void> {
  const { archive, association, entity, tenant, title } = served;
  const { context, data } = message;
  const root = queryClass(context.abstractSyntax)?.root ?? 'study';
  try {
    if (data === undefined) throw new ArchiveError('ARGUMENT_INVALID', 'a query has an identifier');
    const identifier = readIdentifier(await data.gather(gatheredBytesMax), context.transferSyntax, root);
    const fuzzy = isFuzzy(association.facts.extended, context.abstractSyntax);
    const query = { ...queryOf(identifier, tenant), fuzzy, limit: entity.matchesMax + 1 };
    const charsets = entity.charset === undefined ? [identifier.charset] : [entity.charset.split('\\')];
    let count = 0;
    for await (const found of archive.studies.answers(query)) {
      if (message.cancelled !== undefined) return await message.respond({ status: dimseStatus.cancel });
      count += 1;
      if (count > entity.matchesMax) {
        return await message.respond({
          status: dimseStatus.outOfResources,
          errorComment: `LIMIT_EXCEEDED more than ${entity.matchesMax} matches`,
        });
      }
      const { level, wanted } = identifier;
      const bytes = encodeAnswer(found, {
        level,
        wanted,
        retrieveTitle: title,
        charsets,
        syntax: context.transferSyntax,
      });
      await message.respond({ status: dimseStatus.pending }, bytes);
    }
  } catch (error) {
    if (association.endError !== undefined && error === association.endError) throw error;
    if (!(error instanceof ArchiveError) || error.code === 'INTERNAL') onFault(error);
    return message.respond(queryFailure(error));
  }
  return message.respond({ status: dimseStatus.success });
}

/** The third byte of the extended negotiation of a query class: fuzzy semantic matching of names. */
function isFuzzy(
  extended: readonly { readonly sopClass: string; readonly info: Uint8Array }[],
  sopClass: string,
): boolean {
  return extended.find((each) => each.sopClass === sopClass)?.info[2] === 1;
}
