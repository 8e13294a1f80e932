import type { ParkedKey } from '../../queue/queue.js';
import { durationText } from './duration-text.js';
import { bounded, printable, type Screen } from './screen.js';

const LINE_LIMIT = 200;

/** Two lines for each key: what failed how often, and the error. `count`: how many there are in all. */
export function printParked(
  parked: readonly ParkedKey[],
  count: number,
  now: number,
  { line, colors }: Screen,
): void {
  if (count === 0) line('no key is parked');
  for (const { key, attempts, error, since } of parked) {
    const ageSeconds = (now - Date.parse(since)) / 1000;
    line(`${colors.yellow(printable(key))}  ${attempts} attempts failed, for ${durationText(ageSeconds)}`);
    line(`  ${colors.dim('error')}  ${bounded(error, LINE_LIMIT)}`);
    line(`  ${colors.dim('retry')}  ${retryCommand(key)}`);
  }
  if (count > parked.length) line(`and ${count - parked.length} more`);
}

/** The ready command line. A key can have a quote or an asterisk, which a shell would read. */
export function retryCommand(key: string): string {
  const word = printable(key);
  return `scopemesh parked retry ${/^[\w./%~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`}`;
}
