// negotiate(): from an A-ASSOCIATE-RQ and the house's rules to the answer, as values.
//
// Invariants: pure; every proposed context gets exactly one answer; an accepted one has a transfer syntax that was offered in it; the asynchronous
// window is answered 1/1 where it was asked for, as PS3.7 lets us, because associations are what runs side by side here.
// A role is granted only where it was asked for, and an absent role selection leaves the default: the requestor is user, we are provider.
// Left out on purpose: who may associate at all, which is decided before, and the identity's check.

import { implicitLittle } from '../data/transfer-syntax.ts';
import { isUid } from '../data/uid.ts';
import type { AssociateRequest, ContextAnswer, ContextProposal } from './associate-pdu.ts';
import { chooseTransferSyntax, transferSyntaxOrderDefault, uncompressedSyntaxes } from './transfer-syntax-order.ts';
import type { AsyncWindow, ExtendedNegotiation, RoleSelection } from './user-information.ts';

export type NegotiationRules = {
  /** Non-storage SOP classes that we serve; only uncompressed syntaxes are taken for them. */
  readonly served: ReadonlySet<string>;
  /** Non-storage SOP classes that are known and not served. Every other UID is taken for a storage class, private ones too. */
  readonly refused: ReadonlySet<string>;
  /** The order for this caller, best first; by default `transferSyntaxOrderDefault`. Naming a lossy or private one here makes it an equal. */
  readonly transferSyntaxes?: readonly string[];
  /** What a requestor may be of a SOP class; by default user always, provider of storage classes (it sends C-GET and takes what comes). */
  readonly roles?: (sopClass: string) => { readonly scu: boolean; readonly scp: boolean };
  /** The answer to an extended negotiation; undefined leaves it unanswered, which means not supported. */
  readonly extended?: (asked: ExtendedNegotiation) => Uint8Array | undefined;
};

export type Negotiated = {
  readonly contexts: readonly ContextAnswer[];
  readonly roles: readonly RoleSelection[];
  readonly extended: readonly ExtendedNegotiation[];
  readonly asyncWindow?: AsyncWindow;
};

export function negotiate(request: AssociateRequest, rules: NegotiationRules): Negotiated {
  const { roles = [], extended = [], asyncWindow } = request.user;
  const mayBe = rules.roles ?? ((sopClass: string) => ({ scu: true, scp: !rules.served.has(sopClass) }));
  return {
    contexts: request.contexts.map((proposal) => answerContext(proposal, rules)),
    roles: roles.map(({ sopClass, scu, scp }) => {
      const may = mayBe(sopClass);
      return { sopClass, scu: scu && may.scu, scp: scp && may.scp };
    }),
    extended: extended.flatMap((asked) => {
      const info = rules.extended?.(asked);
      return info === undefined ? [] : [{ sopClass: asked.sopClass, info }];
    }),
    ...(asyncWindow === undefined ? {} : { asyncWindow: { invoked: 1, performed: 1 } }),
  };
}

function answerContext(proposal: ContextProposal, rules: NegotiationRules): ContextAnswer {
  const { id, abstractSyntax } = proposal;
  const offered = proposal.transferSyntaxes.filter(isUid);
  const refuse = (result: 'abstractSyntax' | 'transferSyntaxes'): ContextAnswer => {
    return { id, result, transferSyntax: offered[0] ?? implicitLittle.uid };
  };
  if (!isUid(abstractSyntax) || rules.refused.has(abstractSyntax)) return refuse('abstractSyntax');
  const isServed = rules.served.has(abstractSyntax);
  const order = rules.transferSyntaxes ?? transferSyntaxOrderDefault;
  // A query's identifier has no pixels to compress; whoever offers only compressed syntaxes for one cannot be served.
  const candidates = isServed ? offered.filter((uid) => uncompressedSyntaxes.includes(uid)) : offered;
  const transferSyntax = chooseTransferSyntax(candidates, order);
  return transferSyntax === undefined ? refuse('transferSyntaxes') : { id, result: 'accepted', transferSyntax };
}
