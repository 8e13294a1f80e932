import { SyncError } from '../../errors.js';
import type { ClientReference } from '../../model/key.js';

/** The document has no other name for a client, and the answer "absent" would look like a deletion. */
export function requireClientId(by: ClientReference, provider: string): void {
  if (by === 'clientId') return;
  const message = `provider ${provider}: a client can be read only by client ID, and not by ${by}`;
  throw new SyncError('ERR_INTERNAL', message, { retriable: false });
}
