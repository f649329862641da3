// The user information item of A-ASSOCIATE (PS3.7 annex D.3.3): what both sides agree on beside presentation contexts.
//
//   50H  0  length(2)  sub-items:
//     51H maximum length         u32, 0 = no maximum
//     52H implementation class   UID
//     53H asynchronous window    u16 operations invoked, u16 performed; 0 = no limit
//     54H role selection         u16 length, SOP class, u8 SCU, u8 SCP
//     55H implementation version 1-16 characters
//     56H extended negotiation   u16 length, SOP class, the rest is the service's
//     57H common extended        second byte: version 0; u16 length, SOP class; u16 length, service class; u16 length, (u16 length, SOP class)*
//     58H user identity          u8 type, u8 answer wanted, u16 length, first field, u16 length, second field
//     59H user identity answer   u16 length, answer
//
// Invariants: sub-items that are not known are passed over, as PS3.8 asks; fields of identities never reach a message of ours.
// Left out on purpose: deciding on any of this (negotiation.ts), and checking an identity: its bytes are passed on.

import { assert, concatBytes } from '../../base/index.ts';
import { isUid } from '../data/uid.ts';
import type { ItemReader } from './item-reader.ts';
import { ascii, counted, item, u8, u16, u32 } from './item-writer.ts';
import { uidReadCharsMax, userItemsMax } from './limits.ts';
import { pduError } from './protocol-error.ts';

/** In a request: what the requestor wants to be. In an answer: what it may be. */
export type RoleSelection = { readonly sopClass: string; readonly scu: boolean; readonly scp: boolean };

export type AsyncWindow = { readonly invoked: number; readonly performed: number };

export type ExtendedNegotiation = { readonly sopClass: string; readonly info: Uint8Array };

export type CommonExtendedNegotiation = {
  readonly sopClass: string;
  readonly serviceClass: string;
  readonly related: readonly string[];
};

export const identityTypes = { username: 1, passcode: 2, kerberos: 3, saml: 4, jwt: 5 } as const;
export type IdentityKind = keyof typeof identityTypes;

/** `secondary` is the passcode where the kind is passcode, empty otherwise. */
export type UserIdentity = {
  readonly kind: IdentityKind;
  readonly primary: Uint8Array;
  readonly secondary: Uint8Array;
  readonly answerWanted: boolean;
};

export type UserInformation = {
  /** The longest P-DATA-TF that its sender takes; 0 is no maximum. */
  readonly pduBytesMax: number;
  readonly implementationClass: string;
  readonly implementationVersion?: string;
  readonly asyncWindow?: AsyncWindow;
  readonly roles?: readonly RoleSelection[];
  readonly extended?: readonly ExtendedNegotiation[];
  readonly commonExtended?: readonly CommonExtendedNegotiation[];
  readonly identity?: UserIdentity;
  /** Only in an answer. */
  readonly identityAnswer?: Uint8Array;
};

const itemType = {
  pduBytesMax: 0x51,
  implementationClass: 0x52,
  asyncWindow: 0x53,
  role: 0x54,
  implementationVersion: 0x55,
  extended: 0x56,
  commonExtended: 0x57,
  identity: 0x58,
  identityAnswer: 0x59,
} as const;
export const userInformationType = 0x50;
const versionCharsMax = 16;
/** Where a peer leaves its maximum out: the smallest that is usual. */
export const pduBytesMaxUnsaid = 16_384;

export function encodeUserInformation(user: UserInformation): Uint8Array {
  const parts = [
    item(itemType.pduBytesMax, [u32(user.pduBytesMax)]),
    item(itemType.implementationClass, [uidBytes(user.implementationClass)]),
  ];
  if (user.asyncWindow !== undefined) {
    parts.push(item(itemType.asyncWindow, [u16(user.asyncWindow.invoked), u16(user.asyncWindow.performed)]));
  }
  for (const { sopClass, scu, scp } of user.roles ?? []) {
    parts.push(item(itemType.role, [counted(uidBytes(sopClass)), u8(scu ? 1 : 0, scp ? 1 : 0)]));
  }
  if (user.implementationVersion !== undefined) {
    parts.push(item(itemType.implementationVersion, [ascii(user.implementationVersion.slice(0, versionCharsMax))]));
  }
  for (const { sopClass, info } of user.extended ?? []) {
    parts.push(item(itemType.extended, [counted(uidBytes(sopClass)), info]));
  }
  for (const { sopClass, serviceClass, related } of user.commonExtended ?? []) {
    const relatedBytes = concatBytes(related.map((uid) => counted(uidBytes(uid))));
    const fields = [counted(uidBytes(sopClass)), counted(uidBytes(serviceClass)), counted(relatedBytes)];
    parts.push(item(itemType.commonExtended, fields));
  }
  if (user.identity !== undefined) {
    const { kind, primary, secondary, answerWanted } = user.identity;
    const fields = [u8(identityTypes[kind], answerWanted ? 1 : 0), counted(primary), counted(secondary)];
    parts.push(item(itemType.identity, fields));
  }
  if (user.identityAnswer !== undefined) parts.push(item(itemType.identityAnswer, [counted(user.identityAnswer)]));
  return item(userInformationType, parts);
}

/** UIDs that come back to whoever sent them may be none by the letter; ours are. */
export function uidBytes(uid: string): Uint8Array {
  assert(uid.length <= uidReadCharsMax, 'a UID fits its item');
  return ascii(uid);
}

export function decodeUserInformation(body: ItemReader): UserInformation {
  let pduBytesMax = pduBytesMaxUnsaid;
  let implementationClass = '';
  let implementationVersion: string | undefined;
  let asyncWindow: AsyncWindow | undefined;
  let identity: UserIdentity | undefined;
  let identityAnswer: Uint8Array | undefined;
  const roles: RoleSelection[] = [];
  const extended: ExtendedNegotiation[] = [];
  const commonExtended: CommonExtendedNegotiation[] = [];
  for (const { type, body: sub } of body.items(userItemsMax)) {
    switch (type) {
      case itemType.pduBytesMax:
        pduBytesMax = sub.u32();
        break;
      case itemType.implementationClass:
        implementationClass = sub.text(sub.left, uidReadCharsMax);
        break;
      case itemType.asyncWindow:
        asyncWindow = { invoked: sub.u16(), performed: sub.u16() };
        break;
      case itemType.role:
        roles.push({ sopClass: uidOf(sub), scu: sub.u8() === 1, scp: sub.u8() === 1 });
        break;
      case itemType.implementationVersion:
        // Some send more than 16 characters; nothing depends on it.
        implementationVersion = sub.text(sub.left, uidReadCharsMax);
        break;
      case itemType.extended:
        extended.push({ sopClass: uidOf(sub), info: sub.bytes(sub.left).slice() });
        break;
      case itemType.commonExtended:
        commonExtended.push(decodeCommonExtended(sub));
        break;
      case itemType.identity:
        identity = decodeIdentity(sub);
        break;
      case itemType.identityAnswer:
        identityAnswer = sub.bytes(sub.u16()).slice();
        break;
      default:
    }
  }
  return {
    pduBytesMax,
    implementationClass,
    roles,
    extended,
    commonExtended,
    ...(implementationVersion === undefined ? {} : { implementationVersion }),
    ...(asyncWindow === undefined ? {} : { asyncWindow }),
    ...(identity === undefined ? {} : { identity }),
    ...(identityAnswer === undefined ? {} : { identityAnswer }),
  };
}

function uidOf(reader: ItemReader): string {
  return reader.text(reader.u16(), uidReadCharsMax);
}

function decodeCommonExtended(sub: ItemReader): CommonExtendedNegotiation {
  const sopClass = uidOf(sub);
  const serviceClass = uidOf(sub);
  const related: string[] = [];
  const relatedLength = sub.u16();
  const before = sub.left;
  if (relatedLength > before) throw pduError('invalidParameter', 'a common extended negotiation ends early');
  while (before - sub.left < relatedLength) related.push(uidOf(sub));
  if (before - sub.left !== relatedLength) {
    throw pduError('invalidParameter', 'a common extended negotiation disagrees with itself about its length');
  }
  return { sopClass, serviceClass, related: related.filter(isUid) };
}

const identityKinds = Object.entries(identityTypes) as [IdentityKind, number][];

/** An identity of a kind that is not known is no identity. */
function decodeIdentity(sub: ItemReader): UserIdentity | undefined {
  const type = sub.u8();
  const answerWanted = sub.u8() === 1;
  const primary = sub.bytes(sub.u16()).slice();
  // Present by the standard whatever the kind; some leave the empty one out.
  const secondary = sub.left === 0 ? new Uint8Array(0) : sub.bytes(sub.u16()).slice();
  const kind = identityKinds.find(([, number]) => number === type)?.[0];
  return kind === undefined ? undefined : { kind, primary, secondary, answerWanted };
}
