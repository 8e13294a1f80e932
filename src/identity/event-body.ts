import { RejectedEvent } from '../errors.js';

/** The JSON of an event's body; RejectedEvent 400 where it is none. The parser's message, which quotes it, is left out. */
export function parseEventBody(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw invalidEvent('the event is not JSON in UTF-8');
  }
}

/** For what an authentic sender never sends. */
export function invalidEvent(message: string): RejectedEvent {
  return new RejectedEvent('ERR_EVENT_INVALID', message, 400);
}
