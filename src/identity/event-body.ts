import { RejectedEvent } from '../errors.js';

/** The JSON of an event body. Throws RejectedEvent (400) without the parser's message, which quotes the body. */
export function parseEventBody(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw invalidEvent('the request body is not JSON in UTF-8');
  }
}

/** Something that the genuine sender never sends. */
export function invalidEvent(message: string): RejectedEvent {
  return new RejectedEvent('ERR_EVENT_INVALID', message, 400);
}

export function unprovenEvent(message: string): RejectedEvent {
  return new RejectedEvent('ERR_SIGNATURE', message, 401);
}
