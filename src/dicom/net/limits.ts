// Every limit of the network side of DICOM, with its name; docs/limits.md repeats those that a person may meet.
//
// Left out on purpose: limits on data sets, which pass through here as bytes.

import { assert } from '../../base/index.ts';

/**
 * What we announce as the longest P-DATA-TF that we take. It bounds nothing here, since a PDU is given on while it arrives; it saves the sender
 * headers and system calls: microseconds of processor time to receive and to send 512 KB, 131 and 130 with 16 KiB, 133 and 124 with 64, 120 and 102 with
 * 128, 108 and 95 with 256. DCMTK cuts at 128 KiB whatever we say, others follow.
 */
export const receivePduBytesDefault = 256 * 1024;

/** The longest P-DATA-TF that we send to a peer that names no maximum, or a larger one. */
export const sendPduBytesMax = 256 * 1024;
/** A PDU carries at least one fragment of two bytes, so a peer that takes less cannot be sent anything. */
export const peerPduBytesMin = 8;

/**
 * An A-ASSOCIATE-RQ of 128 contexts with 40 transfer syntaxes each is 180 KB; user identities (SAML, Kerberos) add at most 64 KB. Beyond this a
 * PDU that is no P-DATA-TF is refused before its body is read.
 */
export const controlPduBytesMax = 1024 * 1024;
/** Odd numbers from 1 to 255. */
export const contextsMax = 128;
export const transferSyntaxesMax = 256;
/** Items of the user information, role selections and extended negotiations included. */
export const userItemsMax = 1024;
/** Twice what the standard allows for a UID; a longer one is nonsense. */
export const uidReadCharsMax = 128;

/** A command is some hundred bytes; an N-GET that lists ten thousand attributes has 40 KB. */
export const commandBytesMax = 64 * 1024;
/** What a peer may have sent of data sets that nobody here has read yet, per association; beyond it the socket is paused. */
export const heldBytesMax = 512 * 1024;
/** Added to each piece that is held, so that one byte a piece costs what it takes in memory. */
export const heldPieceBytes = 256;
/** Commands taken in and not yet asked for, and requests not yet answered, per association. */
export const heldMessagesMax = 64;
/** Bytes waiting for the kernel above which a sender waits, per association. */
export const sendHeldBytesMax = 512 * 1024;
/** Bytes read and thrown away after we aborted or refused, so that the peer gets to read why. */
export const lingerBytesMax = 4 * 1024 * 1024;
/** A data set that is gathered into memory: an identifier, an event report, an attribute list. */
export const gatheredBytesMax = 16 * 1024 * 1024;

assert(sendPduBytesMax >= peerPduBytesMin, 'what we send at least fits into what we send at most');
assert(heldBytesMax >= receivePduBytesDefault, 'a whole PDU can be held while its reader is busy');

export type Timeouts = {
  /** Until the TCP connection (and TLS) stands. */
  readonly connectMs: number;
  /** ARTIM: for the next PDU of opening or releasing, and for the peer to close the connection. */
  readonly associationMs: number;
  /** Nothing from the peer between messages, while we owe it no answer. */
  readonly idleMs: number;
  /** Nothing from the peer within a message. */
  readonly stallMs: number;
  /** Nothing from the peer while it owes us an answer. */
  readonly responseMs: number;
  /** The peer takes none of the bytes we send. */
  readonly sendMs: number;
};

export const timeoutsDefault: Timeouts = {
  connectMs: 15_000,
  associationMs: 30_000,
  idleMs: 10 * 60_000,
  stallMs: 60_000,
  responseMs: 5 * 60_000,
  sendMs: 60_000,
};
