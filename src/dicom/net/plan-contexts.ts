// planContexts(): what to propose when objects of many SOP classes and transfer syntaxes are to be sent.
//
// Invariants: each stored transfer syntax has a context of its own, so that a peer's choice among several never makes us convert what it would have
// taken as it is; each SOP class has an uncompressed context to fall back on; all contexts of a SOP class are in one association, so that any of
// its objects can be sent there; an association has at most 128.
// Left out on purpose: whether we can convert an object for the fallback.

import { assert } from '../../base/index.ts';
import { explicitLittle, implicitLittle } from '../data/transfer-syntax.ts';
import type { ContextProposal } from './associate-pdu.ts';
import { contextsMax } from './limits.ts';
import type { RoleSelection } from './user-information.ts';

export type WantedContext = { readonly abstractSyntax: string; readonly transferSyntax: string };

/** The contexts of each association to open, in the order in which SOP classes were first wanted. */
export function planContexts(wanted: Iterable<WantedContext>): readonly (readonly ContextProposal[])[] {
  const syntaxesOf = new Map<string, Set<string>>();
  for (const { abstractSyntax, transferSyntax } of wanted) {
    const syntaxes = syntaxesOf.get(abstractSyntax) ?? new Set();
    syntaxesOf.set(abstractSyntax, syntaxes.add(transferSyntax));
  }
  const plans: ContextProposal[][] = [];
  let current: ContextProposal[] = [];
  for (const [abstractSyntax, stored] of syntaxesOf) {
    const offers = [...[...stored].map((syntax) => [syntax]), fallbackFor(stored)].filter((each) => each.length > 0);
    assert(
      offers.length <= contextsMax,
      'a SOP class is stored in fewer transfer syntaxes than an association has contexts',
    );
    if (current.length === 0 || current.length + offers.length > contextsMax) {
      current = [];
      plans.push(current);
    }
    for (const transferSyntaxes of offers) {
      current.push({ id: current.length * 2 + 1, abstractSyntax, transferSyntaxes });
    }
  }
  return plans;
}

/** What is uncompressed and not proposed already. Implicit little-endian is every peer's duty, so it alone needs nothing beside it. */
function fallbackFor(stored: ReadonlySet<string>): readonly string[] {
  if (stored.has(implicitLittle.uid)) return [];
  return stored.has(explicitLittle.uid) ? [implicitLittle.uid] : [explicitLittle.uid, implicitLittle.uid];
}

/** What C-GET needs beside its own context: to be provider of the classes that may come. */
export function providerRoles(sopClasses: Iterable<string>): readonly RoleSelection[] {
  return [...new Set(sopClasses)].map((sopClass) => ({ sopClass, scu: false, scp: true }));
}
