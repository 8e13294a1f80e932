import { SyncError } from '../../src/errors.js';

/** The error of ours with which it fails; another one, or none, fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<SyncError> {
  const outcome: unknown = await promise.then(
    (value) => new Error(`it resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (outcome instanceof SyncError) return outcome;
  throw outcome;
}
