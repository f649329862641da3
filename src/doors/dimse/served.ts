// Who is served on an association, and as whom.

import type { ApplicationEntity, Archive } from '../../archive/index.ts';
import type { Clock, TenantId } from '../../base/index.ts';
import type { Association, TlsClientOptions } from '../../dicom/index.ts';

export type Served = {
  readonly archive: Archive;
  readonly association: Association;
  readonly entity: ApplicationEntity;
  readonly tenant: TenantId;
  /** Our own title. */
  readonly title: string;
  readonly tlsClient: TlsClientOptions;
  readonly clock: Clock;
};
