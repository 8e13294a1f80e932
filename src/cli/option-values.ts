import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../../config/duration.js';
import { PERSONS_REASON } from '../model/cause.js';

const DAY_MS = 86_400_000;

/** A whole number of at most nine digits. */
export function parseWhole(least: 0 | 1): (text: string) => number {
  return (text) => {
    if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
    throw new InvalidArgumentError(`write a whole number from ${least} up.`);
  };
}

/** The reason that a person gives. */
export function parseReason(text: string): string {
  if (PERSONS_REASON.test(text)) return text;
  throw new InvalidArgumentError('write one line of 1 to 500 characters');
}

/** Milliseconds, in whole seconds. */
export function parseFor(mostDays: number, example: string): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= 1000 && ms <= mostDays * DAY_MS && ms % 1000 === 0) return ms;
    throw new InvalidArgumentError(`write a duration from 1s to ${mostDays}d, such as ${example}`);
  };
}
