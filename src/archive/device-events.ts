// What a setting of a device makes of its data sets on their way out: an amendment of each of its series, which the overlay applies.
//
// Invariant: the same setting makes the same amendment of a series, however often it is said.

import { hexOf, sha256, type TenantId, utf8Bytes } from '../base/index.ts';
import type { DecodedEvent } from '../format/index.ts';
import type { DeviceSetting } from './device-settings.ts';

export const settingsTable = 'device_charsets';

/** Which amendments are of a device's setting. */
export const systemOf = (device: string): string => `device ${device}`;

/** An amendment of a setting is withdrawn once. */
export const withdrawalIdOf = (amendment: string): string =>
  hexOf(sha256(utf8Bytes(`withdrawn ${amendment}`))).slice(0, 32);

export function decodedEvent(
  setting: DeviceSetting,
  of: {
    readonly tenant: TenantId;
    readonly study: string;
    readonly series: string;
    readonly declared: readonly string[];
  },
): DecodedEvent {
  const { device, terms, who: by, why, atMs: createdMs } = setting;
  const { tenant, study, series, declared } = of;
  const name = JSON.stringify([tenant, device, createdMs, study, series, declared]);
  return {
    type: 'decoded',
    id: hexOf(sha256(utf8Bytes(name))).slice(0, 32),
    createdMs,
    by,
    why,
    system: systemOf(device),
    study,
    series: [series],
    terms,
    declared,
    // Rows are told by an event of their own: who asks is answered from them.
    attributes: {},
  };
}
