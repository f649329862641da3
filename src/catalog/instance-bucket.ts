// The bucket that instances lie in, and what the names there say: study, series and instance UID with slashes between them.

import { utf8Text } from '../base/index.ts';

export const instanceBucket = 'dicom';

/** The instance UID in a name; undefined where it is no name of an instance. */
export function instanceUidOfKey(bucket: string, key: Uint8Array): string | undefined {
  if (bucket !== instanceBucket) return undefined;
  const [, , uid = ''] = (utf8Text(key) ?? '').split('/');
  return uid === '' ? undefined : uid;
}
