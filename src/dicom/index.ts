// dicom: the DICOM language, a library that knows no archive: data sets, character sets, names, the upper layer, pixels.

// data/: data sets, streaming, with dictionary, Part 10 and JSON. Bytes that cannot be read are a DicomError with the offset: DICOM_MALFORMED, or LIMIT_EXCEEDED
// with the limit's name. Readers take pieces of any size, copy what they keep, and are done for after their first error. Elements never change.
export type { Element, ElementPath } from './data/data-set.ts';
export { DataSet, ItemsElement } from './data/data-set.ts';
export type { DicomFault } from './data/dicom-error.ts';
export { DicomError } from './data/dicom-error.ts';
export type { DictionaryEntry, VrChoice } from './data/dictionary.ts';
export { dictionaryEntry, keywordOf, tagOfKeyword } from './data/dictionary.ts';
export type { BulkReference, FragmentList } from './data/element.ts';
export { BulkElement, BytesElement, bytesElement, FragmentsElement } from './data/element.ts';
export type { FileMeta, FileMetaFields } from './data/file-meta.ts';
export { encodeFileMeta } from './data/file-meta.ts';
export type { JsonReadOptions } from './data/json-reader.ts';
export { dataSetOfJson } from './data/json-reader.ts';
export { xmlOfDicomJson } from './data/json-to-xml.ts';
export type { JsonOptions } from './data/json-writer.ts';
export { JsonWriter, jsonOfDataSet } from './data/json-writer.ts';
export type { Match, MatchKey, MatchOptions, RangeMatch, RangeVr } from './data/matching.ts';
export {
  combinedRange,
  fitsCombined,
  fitsKeys,
  fitsName,
  fitsPattern,
  fitsTexts,
  keysOfIdentifier,
  parseMatch,
} from './data/matching.ts';
export type { Moment } from './data/moment.ts';
export { parseDate, parseDateTime, parseTime } from './data/moment.ts';
export type { Oddity, OddityKind } from './data/oddity.ts';
export type { Part10Options } from './data/part10-reader.ts';
export { Part10Reader } from './data/part10-reader.ts';
export { DataSetReader } from './data/reader.ts';
export type { ReaderLimits } from './data/reader-limits.ts';
export { bulkBytesMinDefault, defaultReaderLimits } from './data/reader-limits.ts';
export type { PixelStart, ReaderOptions, ReaderState } from './data/reader-options.ts';
export { recodeText } from './data/recode-text.ts';
export type { ObjectKind } from './data/sop-class.ts';
export {
  isOtherThanStorage,
  isStorageClass,
  objectKindOf,
  objectKinds,
  sopClassName,
  storageClassUids,
} from './data/sop-class.ts';
export type { Tag } from './data/tag.ts';
export { isPixelData, isPrivateTag, parseTag, tagHex, tags, tagText } from './data/tag.ts';
export type { TransferSyntax } from './data/transfer-syntax.ts';
export {
  deflatedLittle,
  explicitBig,
  explicitLittle,
  implicitLittle,
  isKnownTransferSyntax,
  transferSyntaxes,
  transferSyntaxOf,
} from './data/transfer-syntax.ts';
export type { Uid } from './data/uid.ts';
export { implementationClassUid, implementationVersionName, isUid, makeUid, parseUid } from './data/uid.ts';
export type { AnyVr, ForeignVr, Vr, VrFacts } from './data/vr.ts';
export { isVr, vrFacts } from './data/vr.ts';
export type { BulkSegment, PlannedDataSet, ReadBulk } from './data/writer.ts';
export { encodeDataSet, isPlainTranscoding, planDataSet, streamDataSet } from './data/writer.ts';

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
export type { Loan } from './net/pdu-reader.ts';
export type { WantedContext } from './net/plan-contexts.ts';
export { planContexts, providerRoles } from './net/plan-contexts.ts';
export type { ByteTaker } from './net/receive-buffers.ts';
export { adoptSocket, ReceiveBuffers } from './net/receive-buffers.ts';
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

// pixels/: frames decoded, encoded, rendered, here or in workers; fragments and frames. Errors are DICOM_MALFORMED and LIMIT_EXCEEDED; what cannot be done is undefined.
export type { Padding } from './pixels/automatic-voi.ts';
export type { FrameComparison } from './pixels/compare-frames.ts';
export type { CodedFrame } from './pixels/decode-frame.ts';
export { decodeFrame } from './pixels/decode-frame.ts';
export { encapsulateFrame, encapsulationEnd, encapsulationStart } from './pixels/encapsulate.ts';
export type { EncodedFrame } from './pixels/encode-frame.ts';
export { encodeFrame } from './pixels/encode-frame.ts';
export type { FragmentEnds, FragmentedPixels, FragmentSpan, FrameSpan } from './pixels/frame-plan.ts';
export { frameLength, planFrames } from './pixels/frame-plan.ts';
export { FrameSplitter } from './pixels/frame-splitter.ts';
export type { Modality, Voi, WindowShape } from './pixels/grey-levels.ts';
export type { ImageShape, LookupTable, Palette, PlainFrame } from './pixels/image-shape.ts';
export { checkShape, frameBitsOf, frameBytesOf } from './pixels/image-shape.ts';
export type { LookupTableValues } from './pixels/lookup-table.ts';
export { lookupTableOf } from './pixels/lookup-table.ts';
export type { NativeRange } from './pixels/native.ts';
export { alignNativeFrame, BitJoiner, nativeFrameRange } from './pixels/native.ts';
export { makeOffsetTables } from './pixels/offset-tables.ts';
export type { JobOptions, PixelPoolOptions } from './pixels/pixel-pool.ts';
export { PixelPool } from './pixels/pixel-pool.ts';
export type { PixelCoding } from './pixels/pixel-syntax.ts';
export { encodableSyntaxes, isEncapsulatedCoding, pixelCodingOf } from './pixels/pixel-syntax.ts';
export type { Picture, PictureFormat, RenderOptions, ThumbnailOptions, Viewport } from './pixels/render.ts';
export { renderFrame, renderThumbnail } from './pixels/render.ts';

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
