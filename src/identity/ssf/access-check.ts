import { SyncError } from '../../errors.js';
import type { AccessCheck } from '../directory.js';
import type { SsfCredentials } from './options.js';
import type { StreamApi } from './stream-api.js';

/** The scopes of SSF 1.0, if no other scope is configured. That streams can be changed is not tested. */
const SCOPES = 'ssf.read ssf.manage';

export async function checkSsfAccess(
  api: StreamApi,
  credentials: SsfCredentials | undefined,
  signal: AbortSignal,
): Promise<readonly AccessCheck[]> {
  const scope = credentials !== undefined && 'scope' in credentials ? credentials.scope : '';
  const check = { permission: scope === '' ? SCOPES : scope, neededFor: 'the stream of shared signals' };
  try {
    await api.list(signal);
    return [{ ...check, isGranted: true }];
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SyncError)) throw error;
    return error.code === 'ERR_DIRECTORY_DENIED' ? [{ ...check, isGranted: false }] : [];
  }
}
