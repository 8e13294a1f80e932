import type { BreakGlass } from '../../src/model/break-glass.js';
import { NOW } from './scene.js';

export const HOUR = 3_600_000;

/** An open grant of two hours for `web` at `orders`, an hour old. */
export function glass(changes: Partial<BreakGlass> = {}): BreakGlass {
  return {
    id: '01JDXK4T0QJ5W3M8V7Z2R6N9PB',
    source: 'web',
    destination: 'orders',
    partition: 'default',
    namespace: 'default',
    reason: 'INC-1',
    forMs: 2 * HOUR,
    duringFreeze: false,
    askedAt: NOW - HOUR,
    askedBy: { id: 'os:ana' },
    openedAt: NOW - HOUR,
    ...changes,
  };
}
