// Statuses of DIMSE responses (PS3.7 annex C, and those of the services in PS3.4): numbers, names, classes.
//
// Invariants: every number has a class, known or not, so a peer's own codes are never taken for success.
// Left out on purpose: which of our errors becomes which status; each door has its table.

export type StatusClass = 'success' | 'pending' | 'warning' | 'failure' | 'cancel';

export const dimseStatus = {
  success: 0x0000,
  pending: 0xff00,
  /** Pending, and some optional keys were not supported for matching. */
  pendingKeysUnsupported: 0xff01,
  cancel: 0xfe00,
  // PS3.7 annex C
  requestedOptionalAttributes: 0x0001,
  noSuchAttribute: 0x0105,
  invalidAttributeValue: 0x0106,
  attributeListError: 0x0107,
  processingFailure: 0x0110,
  duplicateSopInstance: 0x0111,
  noSuchSopInstance: 0x0112,
  noSuchEventType: 0x0113,
  noSuchArgument: 0x0114,
  invalidArgumentValue: 0x0115,
  attributeValueOutOfRange: 0x0116,
  invalidSopInstance: 0x0117,
  noSuchSopClass: 0x0118,
  classInstanceConflict: 0x0119,
  missingAttribute: 0x0120,
  missingAttributeValue: 0x0121,
  sopClassNotSupported: 0x0122,
  noSuchActionType: 0x0123,
  notAuthorized: 0x0124,
  duplicateInvocation: 0x0210,
  unrecognizedOperation: 0x0211,
  mistypedArgument: 0x0212,
  resourceLimitation: 0x0213,
  // Storage (PS3.4 annex B)
  outOfResources: 0xa700,
  dataSetMismatch: 0xa900,
  cannotUnderstand: 0xc000,
  coercedElements: 0xb000,
  discardedElements: 0xb006,
  dataSetMismatchWarning: 0xb007,
  // Query and retrieve (PS3.4 annex C); A700 and A900 as in storage
  countMatchesImpossible: 0xa701,
  subOperationsImpossible: 0xa702,
  moveDestinationUnknown: 0xa801,
  unableToProcess: 0xc000,
  subOperationsFailed: 0xb000,
} as const;

/** By number, where one number means one thing; first name wins. */
const names = new Map<number, string>();
for (const [name, number] of Object.entries(dimseStatus)) if (!names.has(number)) names.set(number, name);

const warnings = new Set<number>([
  dimseStatus.requestedOptionalAttributes,
  dimseStatus.attributeListError,
  dimseStatus.attributeValueOutOfRange,
]);

/** PS3.7 annex C: A, C and 01-02 are failures, B a warning, FF pending, FE cancel; whatever else a peer invents failed. */
export function statusClass(status: number): StatusClass {
  if (status === dimseStatus.success) return 'success';
  if (status === dimseStatus.pending || status === dimseStatus.pendingKeysUnsupported) return 'pending';
  if (status === dimseStatus.cancel) return 'cancel';
  if (status >> 12 === 0xb || warnings.has(status)) return 'warning';
  return 'failure';
}

/** For logs and messages: `A700 outOfResources`. Ranges of services go by their first two digits. */
export function statusText(status: number): string {
  const hex = status.toString(16).toUpperCase().padStart(4, '0');
  const family = status >> 12 === 0xa ? status & 0xff00 : status >> 12 === 0xc ? 0xc000 : status;
  return `${hex} ${names.get(status) ?? names.get(family) ?? statusClass(status)}`;
}
