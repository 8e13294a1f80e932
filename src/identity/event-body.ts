import { RejectedEvent } from '../errors.js';
import { jsonInBytes } from '../model/json-in.js';

/** The JSON of an event body. Throws RejectedEvent (400). */
export function parseEventBody(body: Uint8Array): unknown {
  const value = jsonInBytes(body);
  if (value === undefined) throw invalidEvent('the request body is not JSON in UTF-8');
  return value;
}

/** Something that the genuine sender never sends. */
export function invalidEvent(message: string): RejectedEvent {
  return new RejectedEvent('ERR_EVENT_INVALID', message, 400);
}

export function unprovenEvent(message: string): RejectedEvent {
  return new RejectedEvent('ERR_SIGNATURE', message, 401);
}
