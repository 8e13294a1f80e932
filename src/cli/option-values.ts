import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../../config/duration.js';
import { captureNames, patternFault } from '../../config/pattern.js';
import { PERSONS_REASON } from '../model/cause.js';
import { compilePattern, type Pattern } from '../plan/pattern.js';

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

/** A pattern for the ID or name of a client, which has the name of its service. */
export function parseClientPattern(text: string): Pattern {
  const fault = patternFault(text);
  if (fault !== undefined) throw new InvalidArgumentError(`the pattern ${fault}.`);
  if (captureNames(text).join() !== 'service')
    throw new InvalidArgumentError('write {service} once, such as {service}-client.');
  return compilePattern(text);
}

/** An option that may be repeated. */
export function oneMore(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
