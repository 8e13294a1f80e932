import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../../config/duration.js';
import { isoInstant, systemClock } from '../clock.js';
import type { Trail } from '../decisions/trail.js';
import { nowIn } from '../trail/answer.js';

/** An instant, or an age such as `2h`, as ISO 8601 in UTC. */
export function parseInstant(text: string): string {
  const age = parseDuration(text);
  if (age !== undefined) return new Date(systemClock.now() - age).toISOString();
  const instant = Date.parse(text);
  if (Number.isNaN(instant))
    throw new InvalidArgumentError('write an instant such as 2026-01-31T12:00:00Z or an age such as 10m.');
  return new Date(instant).toISOString();
}

/** The same, of what a log can tell already. */
export function parsePastInstant(text: string): string {
  const instant = parseInstant(text);
  if (Date.parse(instant) <= systemClock.now()) return instant;
  throw new InvalidArgumentError('it is in the future; give an instant that has passed, or leave it out.');
}

/** The instant that a question to the trail is about; by default now. */
export async function instantIn(trail: Pick<Trail, 'extent'>, at: string | undefined): Promise<string> {
  return at ?? nowIn(trail, isoInstant(systemClock));
}
