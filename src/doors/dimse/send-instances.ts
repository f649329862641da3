// Sending instances: to a peer of the table over associations of our own, or back over one that is open.
//
// Invariants: each stored transfer syntax is proposed in its own context with an uncompressed one to fall back on; every instance is told to `onSent` once, with the
// peer's status, or without one when it could not be read or sent; whoever stops stops between two instances. Instances are read ahead of the one
// that is being sent, a few and small ones only.
// Left out on purpose: trying again. Who asked can; forwarding has a queue.

import type { ApplicationEntity, Archive, Outgoing, SentInstance } from '../../archive/index.ts';
import { ArchiveError, type Clock } from '../../base/index.ts';
import { type Association, cStore, openAssociation, planContexts, type TlsClientOptions } from '../../dicom/index.ts';

export type MoveOriginator = { readonly title: string; readonly messageId: number };

export type Sending = {
  readonly archive: Archive;
  readonly instances: readonly SentInstance[];
  readonly moveOriginator?: MoveOriginator | undefined;
  /** Stops between two instances; what was not sent is not told. */
  readonly isStopped: () => boolean;
  readonly beforeEach?: () => Promise<void>;
  readonly onSent: (instance: SentInstance, status: number | undefined) => void;
  /** Told of each association of our own, with what was wrong when it could not be opened. */
  readonly onOpen?: (error: ArchiveError | undefined) => void;
};

/** Opens as many associations as the contexts take. Never throws for what a peer does: `onSent` tells. */
export async function sendToEntity(
  sending: Sending,
  to: {
    readonly entity: ApplicationEntity;
    readonly title: string;
    readonly tlsClient: TlsClientOptions;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { entity, title, tlsClient, clock, signal } = to;
  const { host, port } = entity;
  if (host === undefined || port === undefined)
    throw new ArchiveError('NOT_FOUND', 'the table does not say where this application entity listens');
  const wanted = sending.instances.map((each) => ({ abstractSyntax: each.classUid, transferSyntax: each.syntaxUid }));
  for (const contexts of planContexts(wanted)) {
    if (sending.isStopped()) return;
    const classes = new Set(contexts.map((context) => context.abstractSyntax));
    const mine = sending.instances.filter((each) => classes.has(each.classUid));
    let association: Association;
    try {
      const tls = entity.tls ? { tls: tlsClient } : {};
      association = await openAssociation({
        host,
        port,
        ...tls,
        calling: title,
        called: entity.title,
        contexts,
        clock,
        signal,
      });
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      sending.onOpen?.(error);
      for (const each of mine) sending.onSent(each, undefined);
      continue;
    }
    sending.onOpen?.(undefined);
    try {
      await sendOver(association, { ...sending, instances: mine });
      await association.release();
    } catch (error) {
      association.abort();
      if (!(error instanceof ArchiveError)) throw error;
    }
  }
}

/** Over an open association. What was not sent when it broke is told, then its error is thrown. */
export async function sendOver(association: Association, sending: Sending): Promise<void> {
  const { instances, archive, onSent } = sending;
  const takes = takenSyntaxes(association);
  let told = 0;
  try {
    for await (const batch of batchesOf(instances, archive, takes)) {
      for (const outgoing of batch) {
        if (sending.isStopped()) return;
        await sending.beforeEach?.();
        const status = await sendOne(outgoing, association, sending.moveOriginator);
        told += 1;
        onSent(outgoing.instance, status);
      }
    }
  } catch (error) {
    for (const each of instances.slice(told)) onSent(each, undefined);
    throw error;
  }
}

/** Study by study: the archive notes of each who took it. */
async function* batchesOf(
  instances: readonly SentInstance[],
  archive: Archive,
  takes: (sopClass: string) => readonly string[],
): AsyncGenerator<readonly Outgoing[]> {
  for (let from = 0; from < instances.length; ) {
    const study = instances[from]?.studyUid;
    const next = instances.findIndex((each, index) => index > from && each.studyUid !== study);
    const end = next < 0 ? instances.length : next;
    yield* archive.instances.outgoing(instances.slice(from, end), (each) => takes(each.classUid));
    from = end;
  }
}

/** The syntaxes in which the peer takes a class from us, in the order of the contexts. */
function takenSyntaxes(association: Association): (sopClass: string) => readonly string[] {
  const syntaxes = new Map<string, string[]>();
  for (const context of association.facts.contexts.values()) {
    if (!context.isUser) continue;
    const known = syntaxes.get(context.abstractSyntax) ?? [];
    syntaxes.set(context.abstractSyntax, known);
    known.push(context.transferSyntax);
  }
  return (sopClass) => syntaxes.get(sopClass) ?? [];
}

/** The peer's status; undefined when the instance cannot be read, or in nothing that the peer takes. */
async function sendOne(
  { instance, output }: Outgoing,
  association: Association,
  moveOriginator: MoveOriginator | undefined,
): Promise<number | undefined> {
  if (output === undefined) return undefined;
  const context = association.contextFor(instance.classUid, output.syntax);
  if (context === undefined) return undefined;
  try {
    const { status } = await cStore(association, {
      sopClass: instance.classUid,
      sopInstance: instance.instanceUid,
      context,
      data: output.pieces,
      moveOriginator,
    });
    return status;
  } catch (error) {
    if (association.endError !== undefined || !(error instanceof ArchiveError)) throw error;
    return undefined;
  } finally {
    // The batch's memory is used again for others: also a peer that answers early, or an association that ends, is not given it.
    await association.handedOver();
  }
}
