// dicom: the DICOM language, a library that knows no archive: data sets, character sets, names, the upper layer, pixels.

// data/: data sets, streaming. Errors are DICOM_MALFORMED and LIMIT_EXCEEDED, with the offset.
export { DataSet } from './data/data-set.ts';
export { dictionaryEntry, keywordOf, tagOfKeyword } from './data/dictionary.ts';
export { encodeFileMeta } from './data/file-meta.ts';
export { Part10Reader } from './data/part10-reader.ts';
export { DataSetReader } from './data/reader.ts';
export { isOtherThanStorage } from './data/sop-class.ts';
export type { Tag } from './data/tag.ts';
export { tags } from './data/tag.ts';
export type { TransferSyntax } from './data/transfer-syntax.ts';
export { transferSyntaxOf } from './data/transfer-syntax.ts';
export { encodeDataSet, isPlainTranscoding, streamDataSet } from './data/writer.ts';

// net/: the upper layer (PS3.8) and DIMSE messages (PS3.7), both roles. A peer's status is a value; a connection, a refusal or a protocol that
// breaks is an ArchiveError with a DICOM_ code. Data sets pass as bytes. What is sent must stay as it is until it is answered.
export type { ContextAnswer, ContextProposal } from './net/associate-pdu.ts';
export type { Association, AssociationFacts } from './net/association.ts';
export type { CommandSet } from './net/command-set.ts';
export type { AnswerFields, RequestKind, SubOperationCounts } from './net/dimse-commands.ts';
export type { StatusClass } from './net/dimse-status.ts';
export { dimseStatus, statusClass, statusText } from './net/dimse-status.ts';
export type {
  FindMatch,
  FindRequest,
  GetRequest,
  MoveRequest,
  Outcome,
  RetrieveOutcome,
  RetrieveProgress,
  StoreRequest,
} from './net/dimse-user.ts';
export { cEcho, cFind, cGet, cMove, cStore } from './net/dimse-user.ts';
export type { InstanceRequest, NOutcome } from './net/dimse-user-n.ts';
export { nAction, nCreate, nDelete, nEventReport, nGet, nSet } from './net/dimse-user-n.ts';
export type { IncomingData } from './net/incoming-data.ts';
export type { AcceptedContext, IncomingMessage } from './net/incoming-message.ts';
export type { Timeouts } from './net/limits.ts';
export { gatheredBytesMax, receivePduBytesDefault, timeoutsDefault } from './net/limits.ts';
export type { OutgoingData } from './net/message-writer.ts';
export type { Negotiated, NegotiationRules } from './net/negotiation.ts';
export { negotiate } from './net/negotiation.ts';
export type { ReceivedRejection, Rejection, RejectReason } from './net/pdu.ts';
export type { WantedContext } from './net/plan-contexts.ts';
export { planContexts, providerRoles } from './net/plan-contexts.ts';
export type { OpenOptions } from './net/requestor.ts';
export { AssociationRejected, openAssociation } from './net/requestor.ts';
export type {
  AssociationCounts,
  AssociationLimits,
  AssociationServer,
  Decision,
  IncomingRequest,
  ListenOptions,
  Refusal,
} from './net/server.ts';
export { associationLimitsDefault, listenAssociations } from './net/server.ts';
export type { TlsClientOptions, TlsIdentity, TlsPeer, TlsServerOptions } from './net/tls-options.ts';
export { transferSyntaxOrderDefault } from './net/transfer-syntax-order.ts';
export { verificationSopClass } from './net/uid.ts';
export type { ExtendedNegotiation, RoleSelection, UserIdentity } from './net/user-information.ts';

// text/: character sets and names. Pure; nothing here throws on outside bytes.
export type { CharacterSet } from './text/character-set.ts';
export { decodeText, encodeText, findDefects, parseCharacterSet } from './text/character-set.ts';
export type { CharsetDecision, CharsetHabit, CharsetReason, TextSample } from './text/charset-defects.ts';
export { decideCharset } from './text/charset-defects.ts';
export {
  nameKeyLengthMax,
  nameKeysMax,
  nameMatches,
  nameQueryTokens,
  nameSearchKeys,
  nameSearchText,
} from './text/name-search.ts';
export type { NameGroup, PersonName } from './text/person-name.ts';
export { displayPersonName, formatPersonName, parsePersonName, samePersonName } from './text/person-name.ts';
export { searchText, searchWords } from './text/search-words.ts';
export type { TextKind } from './text/text-kind.ts';
export type { TextDefect } from './text/unit-buffer.ts';
