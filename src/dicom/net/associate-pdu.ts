// A-ASSOCIATE-RQ and A-ASSOCIATE-AC (PS3.8 9.3.2 and 9.3.3): values <-> bytes.
//
//   head(6) version(2) 0(2) called AE(16) calling AE(16) 0(32), then items:
//     10H application context   UID
//     20H context of a request  id(1) 0(3), sub-items: 30H abstract syntax, 40H transfer syntax, one or more
//     21H context of an answer  id(1) 0(1) result(1) 0(1), sub-item: 40H transfer syntax
//     50H user information      user-information.ts
//
// Invariants: what decodes has distinct odd context ids and at most the counts of limits.ts; texts are printable ASCII without padding; items that
// are not known are passed over.
// Left out on purpose: whether a UID or a title is one that we want (negotiation.ts and whoever decides).

import { assert, concatBytes } from '../../base/index.ts';
import { ItemReader } from './item-reader.ts';
import { ascii, item, u8, u16, u32 } from './item-writer.ts';
import { contextsMax, transferSyntaxesMax, uidReadCharsMax, userItemsMax } from './limits.ts';
import { type PduType, pduType } from './pdu.ts';
import { pduError } from './protocol-error.ts';
import {
  decodeUserInformation,
  encodeUserInformation,
  pduBytesMaxUnsaid,
  type UserInformation,
  uidBytes,
  userInformationType,
} from './user-information.ts';

export type ContextProposal = {
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly string[];
};

/** PS3.8 table 9-18. */
export const contextResults = {
  accepted: 0,
  userRejection: 1,
  noReason: 2,
  abstractSyntax: 3,
  transferSyntaxes: 4,
} as const;
export type ContextResult = keyof typeof contextResults;

/** The transfer syntax means something only where the context is accepted. */
export type ContextAnswer = { readonly id: number; readonly result: ContextResult; readonly transferSyntax: string };

type Titles = { readonly called: string; readonly calling: string };

export type AssociateRequest = Titles & {
  /** Bit 0 is version 1, the only one there is. */
  readonly protocolVersion: number;
  readonly applicationContext: string;
  readonly contexts: readonly ContextProposal[];
  readonly user: UserInformation;
};

export type AssociateAccept = Titles & {
  readonly applicationContext: string;
  readonly contexts: readonly ContextAnswer[];
  readonly user: UserInformation;
};

const titleChars = 16;
const itemType = { applicationContext: 0x10, proposal: 0x20, answer: 0x21, abstractSyntax: 0x30, transferSyntax: 0x40 };
/** Contexts and a few more; unknown ones are passed over up to here. */
const itemsMax = contextsMax + userItemsMax;

export function isContextId(id: number): boolean {
  return Number.isInteger(id) && id >= 1 && id <= 255 && id % 2 === 1;
}

export function encodeAssociateRequest(request: AssociateRequest): Uint8Array {
  assert(request.contexts.length <= contextsMax, 'an association proposes at most 128 contexts');
  const contexts = request.contexts.map(({ id, abstractSyntax, transferSyntaxes }) => {
    assert(isContextId(id), 'the id of a context is odd');
    assert(transferSyntaxes.length > 0, 'a context proposes a transfer syntax');
    const syntaxes = transferSyntaxes.map((uid) => item(itemType.transferSyntax, [uidBytes(uid)]));
    return item(itemType.proposal, [
      u8(id, 0, 0, 0),
      item(itemType.abstractSyntax, [uidBytes(abstractSyntax)]),
      ...syntaxes,
    ]);
  });
  return encode(pduType.associateRequest, request, contexts);
}

export function encodeAssociateAccept(accept: AssociateAccept): Uint8Array {
  const contexts = accept.contexts.map(({ id, result, transferSyntax }) =>
    item(itemType.answer, [
      u8(id, 0, contextResults[result], 0),
      item(itemType.transferSyntax, [uidBytes(transferSyntax)]),
    ]),
  );
  return encode(pduType.associateAccept, { ...accept, protocolVersion: 1 }, contexts);
}

function encode(
  type: PduType,
  fields: Omit<AssociateRequest, 'contexts'>,
  contexts: readonly Uint8Array[],
): Uint8Array {
  const body = concatBytes([
    u16(fields.protocolVersion),
    u16(0),
    title(fields.called),
    title(fields.calling),
    new Uint8Array(32),
    item(itemType.applicationContext, [uidBytes(fields.applicationContext)]),
    ...contexts,
    encodeUserInformation(fields.user),
  ]);
  return concatBytes([u8(type, 0), u32(body.byteLength), body]);
}

function title(text: string): Uint8Array {
  assert(text.length <= titleChars, 'an AE title has at most 16 characters');
  return ascii(text.padEnd(titleChars));
}

export function decodeAssociateRequest(body: Uint8Array): AssociateRequest {
  const contexts: ContextProposal[] = [];
  const seen = new Set<number>();
  const { head, items } = open(body, 'A-ASSOCIATE-RQ');
  const { applicationContext, user } = readItems(items, (type, sub) => {
    if (type !== itemType.proposal) return;
    const proposal = decodeProposal(sub);
    if (seen.has(proposal.id)) throw pduError('invalidParameter', 'two presentation contexts have one id');
    seen.add(proposal.id);
    contexts.push(proposal);
  });
  return { ...head, applicationContext, contexts, user };
}

function decodeProposal(reader: ItemReader): ContextProposal {
  const id = reader.u8();
  if (!isContextId(id)) throw pduError('invalidParameter', `a presentation context has the id ${id}`);
  reader.skip(3);
  let abstractSyntax = '';
  const transferSyntaxes: string[] = [];
  for (const { type, body } of reader.items(transferSyntaxesMax + 1)) {
    if (type === itemType.abstractSyntax) abstractSyntax = body.text(body.left, uidReadCharsMax);
    else if (type === itemType.transferSyntax) transferSyntaxes.push(body.text(body.left, uidReadCharsMax));
  }
  return { id, abstractSyntax, transferSyntaxes };
}

export function decodeAssociateAccept(body: Uint8Array): AssociateAccept {
  const contexts: ContextAnswer[] = [];
  const { head, items } = open(body, 'A-ASSOCIATE-AC');
  const { applicationContext, user } = readItems(items, (type, sub) => {
    if (type === itemType.answer) contexts.push(decodeAnswer(sub));
  });
  return { called: head.called, calling: head.calling, applicationContext, contexts, user };
}

const resultNames = Object.entries(contextResults) as [ContextResult, number][];

function decodeAnswer(reader: ItemReader): ContextAnswer {
  const id = reader.u8();
  reader.skip(1);
  const number = reader.u8();
  reader.skip(1);
  let transferSyntax = '';
  for (const { type, body } of reader.items(transferSyntaxesMax)) {
    if (type === itemType.transferSyntax) transferSyntax = body.text(body.left, uidReadCharsMax);
  }
  const result = resultNames.find(([, value]) => value === number)?.[0] ?? 'noReason';
  return { id, result, transferSyntax };
}

type Head = Titles & { readonly protocolVersion: number };

function open(body: Uint8Array, what: string): { head: Head; items: ItemReader } {
  const reader = new ItemReader(body, what);
  const protocolVersion = reader.u16();
  reader.skip(2);
  const called = reader.title(titleChars);
  const calling = reader.title(titleChars);
  reader.skip(32);
  return { head: { protocolVersion, called, calling }, items: reader };
}

type ItemTaker = (type: number, body: ItemReader) => void;

function readItems(reader: ItemReader, take: ItemTaker): { applicationContext: string; user: UserInformation } {
  let applicationContext = '';
  let user: UserInformation | undefined;
  for (const { type, body } of reader.items(itemsMax)) {
    if (type === itemType.applicationContext) applicationContext = body.text(body.left, uidReadCharsMax);
    else if (type === userInformationType) user = decodeUserInformation(body);
    else take(type, body);
  }
  return { applicationContext, user: user ?? { pduBytesMax: pduBytesMaxUnsaid, implementationClass: '' } };
}
