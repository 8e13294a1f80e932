import type { IconName } from './parts/icon.js';

export interface Place {
  readonly name: string;
  readonly path: string;
  readonly icon: IconName;
  /** After `g`. */
  readonly key: string;
}

/** The pages that a reader can go to from everywhere. */
export const PLACES: readonly Place[] = [
  { name: 'Now', path: '/', icon: 'now', key: 'n' },
  { name: 'Why', path: '/why', icon: 'why', key: 'y' },
  { name: 'Services', path: '/services', icon: 'services', key: 's' },
  { name: 'Clients', path: '/clients', icon: 'clients', key: 'l' },
  { name: 'Map', path: '/map', icon: 'map', key: 'm' },
  { name: 'Waiting', path: '/waiting', icon: 'waiting', key: 'w' },
  { name: 'Changes', path: '/changes', icon: 'changes', key: 'c' },
  { name: 'Plan', path: '/plan', icon: 'plan', key: 'p' },
  { name: 'What if', path: '/what-if', icon: 'whatIf', key: 'i' },
  { name: 'Audit', path: '/audit', icon: 'audit', key: 'a' },
  { name: 'Health', path: '/health', icon: 'health', key: 'h' },
  { name: 'Tokens', path: '/tokens', icon: 'tokens', key: 't' },
];
