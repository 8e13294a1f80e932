import { IncompleteRead, SyncError } from '../errors.js';

// `place` names what was read. It holds no ID and no secret, because it reaches logs.

export function incomplete(place: string, why: string, retriable = true): IncompleteRead {
  return new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: ${why}`, { retriable });
}

/** The credentials lack a permission. */
export function denied(place: string, why: string): SyncError {
  return new SyncError('ERR_DIRECTORY_DENIED', `${place}: ${why}`, { retriable: false });
}

/** A complete answer in a form that is not the documented one. A truncated answer is a plain IncompleteRead. */
export class WrongShape extends IncompleteRead {}

export function wrongShape(place: string, why: string): WrongShape {
  return new WrongShape('ERR_DIRECTORY_INCOMPLETE', `${place}: ${why}`, { retriable: true });
}
