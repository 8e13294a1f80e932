import type { BreakGlass } from '../../src/model/break-glass.js';
import {
  ALLOW,
  client,
  mapping,
  NOW,
  planOf,
  plansOf,
  rule,
  type Scene,
  scene,
  sceneAfter,
} from './scene.js';

export const HOUR = 3_600_000;
export const ID = '01JDXK4T0QJ5W3M8V7Z2R6N9PB';
export const SUBJECT = 'intention/default/default/orders/web';
export const SCOPES = [rule('orders', 'orders', { methods: ['GET'], path: '/v1' })];
export const limits = { longestMs: 4 * HOUR, never: ['safe'] };
export const on = (changes = {}) => mapping({ rules: SCOPES, breakGlass: limits, ...changes });

/** What the scope opens. */
export const GET = planOf(scene({ mapping: on() })).changes[0]?.after ?? ALLOW;

/** `web` has no scope, and a person opened its edge. */
export const granted = (changes: Partial<Scene> = {}) =>
  scene({ mapping: on(), clients: [client('web', [])], breakGlass: [glass()], ...changes });
export const opened = (changes: Partial<Scene> = {}): Scene => {
  const before = granted(changes);
  return sceneAfter(before, plansOf(before));
};

/** An open grant of two hours for `web` at `orders`, an hour old. */
export function glass(changes: Partial<BreakGlass> = {}): BreakGlass {
  return {
    id: ID,
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
