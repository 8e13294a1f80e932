import { SyncError } from '../../errors.js';
import type { AccessCheck } from '../directory.js';
import type { SsfCredentials } from './credentials.js';
import type { StreamApi } from './stream-api.js';

/** By the scopes of SSF 1.0 where nothing else is asked for. That streams may be changed too is not tried. */
const SCOPES = 'ssf.read ssf.manage';

export async function checkSsfAccess(
  api: StreamApi,
  credentials: SsfCredentials | undefined,
  signal: AbortSignal,
): Promise<readonly AccessCheck[]> {
  const asked = credentials !== undefined && 'scope' in credentials ? credentials.scope : '';
  const permission = asked === '' ? SCOPES : asked;
  const neededFor = 'the stream of shared signals';
  try {
    await api.list(signal);
    return [{ permission, neededFor, isGranted: true }];
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SyncError)) throw error;
    return error.code === 'ERR_DIRECTORY_DENIED' ? [{ permission, neededFor, isGranted: false }] : [];
  }
}
