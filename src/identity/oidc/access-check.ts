import { RefusedCredentials, SyncError } from '../../errors.js';
import type { AccessCheck, Directory } from '../directory.js';

/** The one thing that is read: the document, under its address or its path. */
export async function checkDocumentAccess(
  readAll: Directory['readAll'],
  permission: string,
  signal: AbortSignal,
): Promise<readonly AccessCheck[]> {
  const isGranted = await readAll(signal).then(
    () => true,
    (error: unknown) => {
      const isDenied = error instanceof SyncError && error.code === 'ERR_DIRECTORY_DENIED';
      // Whose credentials are refused lacks no permission.
      if (isDenied && !(error instanceof RefusedCredentials)) return false;
      throw error;
    },
  );
  return [{ permission, neededFor: 'the clients and their scopes', isGranted }];
}
