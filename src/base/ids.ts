// Branded identifiers: a PackId is never taken for a WriterId, nor a tenant for a count.
//
// Invariants: 128-bit ids are 32 lower-case hex digits in memory and 16 raw bytes on a medium; a 64-bit group id is a bigint;
// a record id is (writer, sequence) and names one record for ever, wherever it lies.

import { assert } from './assert.ts';
import { bytesOfHex, hexOf } from './bytes.ts';

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

export type PackId = Branded<string, 'PackId'>;
export type WriterId = Branded<string, 'WriterId'>;
export type ArchiveId = Branded<string, 'ArchiveId'>;
export type DiskId = Branded<string, 'DiskId'>;
export type TenantId = Branded<number, 'TenantId'>;

/** The unit of deduplication and of destruction: its key hangs in the tenant's tree under (year, group). */
export type KeyGroup = { readonly tenant: TenantId; readonly year: number; readonly group: bigint };

export type RecordId = { readonly writer: WriterId; readonly sequence: bigint };

const hex128 = /^[0-9a-f]{32}$/;

function parse128<T extends string>(text: string, what: string): T {
  assert(hex128.test(text), `${what} is 32 hex digits`);
  return text as unknown as T;
}

export const packId = (text: string): PackId => parse128<PackId>(text, 'a pack id');
export const writerId = (text: string): WriterId => parse128<WriterId>(text, 'a writer id');
export const archiveId = (text: string): ArchiveId => parse128<ArchiveId>(text, 'an archive id');
export const diskId = (text: string): DiskId => parse128<DiskId>(text, 'a disk id');

export function isHex128(text: string): boolean {
  return hex128.test(text);
}

export function tenantId(value: number): TenantId {
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, 'a tenant id is a u32');
  return value as TenantId;
}

/** Tenant 0 is the archive itself: its settings, users, disks and exports. */
export const systemTenant = tenantId(0);
export const defaultTenant = tenantId(1);

/** Year 0, group 0: a tenant's own events, readable as long as the tenant is. */
export function controlGroup(tenant: TenantId): KeyGroup {
  return { tenant, year: 0, group: 0n };
}

/** What was audited in a year lies under a key of its own, so that it can be shredded when its time is over. */
export function auditGroup(year: number): KeyGroup {
  return { tenant: systemTenant, year, group: 1n };
}

export function isAuditGroup({ tenant, group }: KeyGroup): boolean {
  return tenant === systemTenant && group === 1n;
}

export function sameGroup(a: KeyGroup, b: KeyGroup): boolean {
  return a.tenant === b.tenant && a.year === b.year && a.group === b.group;
}

export function groupText(group: KeyGroup): string {
  return `${group.tenant}-${group.year}-${group.group.toString(16).padStart(16, '0')}`;
}

const groupForm = /^(\d{1,10})-(\d{1,5})-([0-9a-f]{16})$/;

export function parseGroupText(text: string): KeyGroup | undefined {
  const match = groupForm.exec(text);
  if (match === null) return undefined;
  const [, tenant, year, group] = match;
  if (Number(tenant) > 0xffff_ffff || Number(year) > 0xffff) return undefined;
  return { tenant: tenantId(Number(tenant)), year: Number(year), group: BigInt(`0x${group}`) };
}

export function recordIdText(id: RecordId): string {
  return `${id.writer}.${id.sequence}`;
}

const recordForm = /^([0-9a-f]{32})\.(\d{1,20})$/;

export function parseRecordIdText(text: string): RecordId | undefined {
  const match = recordForm.exec(text);
  if (match === null) return undefined;
  const sequence = BigInt(match[2] as string);
  if (sequence > 0xffff_ffff_ffff_ffffn) return undefined;
  return { writer: match[1] as WriterId, sequence };
}

export function sameRecord(a: RecordId, b: RecordId): boolean {
  return a.sequence === b.sequence && a.writer === b.writer;
}

export const bytesOfId = (id: string): Uint8Array => bytesOfHex(id);
export const idOfBytes = (bytes: Uint8Array): string => hexOf(bytes);
