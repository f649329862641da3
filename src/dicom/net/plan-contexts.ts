// planContexts(): what to propose when objects of many SOP classes and transfer syntaxes are to be sent.
//
// Invariants: each stored transfer syntax has a context of its own, so that a peer's choice among several never makes us convert what it would have
// taken as it is; each SOP class has an uncompressed context to fall back on; all contexts of a SOP class are in one association, so that any of
// its objects can be sent there, as long as it has less than 128; an association has at most 128.
// Left out on purpose: whether we can convert an object for the fallback.

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
    const fallback = fallbackFor(stored);
    for (const offers of portionsOf([...stored].map((syntax) => [syntax]))) {
      if (fallback.length > 0) offers.push(fallback);
      if (current.length === 0 || current.length + offers.length > contextsMax) {
        current = [];
        plans.push(current);
      }
      for (const transferSyntaxes of offers) {
        current.push({ id: current.length * 2 + 1, abstractSyntax, transferSyntaxes });
      }
    }
  }
  return plans;
}

/** One portion, unless senders have invented more syntaxes than an association can propose, beside the fallback. */
function portionsOf(offers: (readonly string[])[]): (readonly string[])[][] {
  const portions: (readonly string[])[][] = [];
  for (let at = 0; at < offers.length; at += contextsMax - 1) portions.push(offers.slice(at, at + contextsMax - 1));
  return portions;
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
