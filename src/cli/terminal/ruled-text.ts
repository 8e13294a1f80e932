import type { Ruled } from '../../operator/rulings.js';
import { printable } from './screen.js';

export function ruledText({ id, subject, needsSecond, waits }: Ruled): string {
  const second = needsSecond === true ? '  (another person must approve it too)' : '';
  const wait = waits === undefined ? '' : `  (it waits: ${waits})`;
  return printable(`${id}  ${subject}${second}${wait}`);
}
