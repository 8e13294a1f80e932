import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DecisionLogSettings } from './adapter-factory.js';

/** Whether a decision log can exist. The first decision creates the embedded one. */
export function hasDecisionLog(config: DecisionLogSettings): boolean {
  return config.decisions.kind !== 'embedded' || existsSync(join(config.state.directory, 'decisions.db'));
}

/** Where the index of the topic is. */
export function indexDirectory({ state, owner }: Pick<DecisionLogSettings, 'state' | 'owner'>): string {
  return join(state.directory, 'trail-index', owner);
}

/** Whether questions can be answered here without a read of the whole topic. */
export function hasTrail(config: DecisionLogSettings): boolean {
  if (config.decisions.kind === 'embedded') return hasDecisionLog(config);
  return existsSync(join(indexDirectory(config), 'decisions.db'));
}
