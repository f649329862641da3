// C-STORE: a data set into the archive, answered when it is durable.
//
// Invariants: success means stored, or there already with the same bytes; what was odd and could be kept is success too; an object under a known UID with
// other bytes is kept beside and answered with success, since the sender may forget it.

import { ArchiveError } from '../../base/index.ts';
import { dimseStatus, type IncomingMessage } from '../../dicom/index.ts';
import { storeFailure } from './dimse-statuses.ts';
import type { Served } from './served.ts';

export async function answerStore(
  message: IncomingMessage,
  { archive, entity, tenant, association }: Served,
  onFault: (error: unknown) => void,
): Promise<void> {
  const { command, context, data } = message;
  const { affectedSopClass, affectedSopInstance } = command;
  if (data === undefined || affectedSopClass === undefined || affectedSopInstance === undefined)
    return message.respond({ status: dimseStatus.cannotUnderstand, errorComment: 'no data set, class or instance' });
  try {
    await archive.instances.store(
      {
        tenant,
        syntax: context.transferSyntax,
        source: association.facts.calling.trim(),
        issuer: entity.issuer,
        whenKnown: entity.whenKnown,
        expected: { classUid: affectedSopClass, instanceUid: affectedSopInstance },
      },
      data,
    );
  } catch (error) {
    // The association itself broke: there is nobody to answer.
    if (association.endError !== undefined && error === association.endError) throw error;
    if (!(error instanceof ArchiveError) || error.code === 'INTERNAL') onFault(error);
    return message.respond(storeFailure(error));
  }
  return message.respond({ status: dimseStatus.success });
}
