import { RefusedCredentials, SyncError } from '../../errors.js';
import type { AccessCheck, Directory } from '../directory.js';

/** The only permission is to read the document. `permission` names it by its address or path. */
export async function checkDocumentAccess(
  readAll: Directory['readAll'],
  permission: string,
  signal: AbortSignal,
): Promise<readonly AccessCheck[]> {
  const isGranted = await readAll(signal).then(
    () => true,
    (error: unknown) => {
      const isDenied = error instanceof SyncError && error.code === 'ERR_DIRECTORY_DENIED';
      // Refused credentials are an error, and not a missing permission.
      if (isDenied && !(error instanceof RefusedCredentials)) return false;
      throw error;
    },
  );
  return [{ permission, neededFor: 'the clients and their scopes', isGranted }];
}
