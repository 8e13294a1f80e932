import { SyncError } from '../../errors.js';
import type { ClientReference } from '../../model/key.js';

/** The document has no other name for a client; answering "absent" to one would read as a deletion. */
export function requireClientId(by: ClientReference, provider: string): void {
  if (by === 'clientId') return;
  throw new SyncError('ERR_INTERNAL', `provider ${provider}: clients are read by client id only, not ${by}`, {
    retriable: false,
  });
}
