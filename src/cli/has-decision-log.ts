import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DecisionLogSettings } from './parts.js';

/** Whether a decision log can exist. The first decision creates the embedded one. */
export function hasDecisionLog(config: DecisionLogSettings): boolean {
  return config.decisions.kind !== 'embedded' || existsSync(join(config.state.directory, 'decisions.db'));
}
