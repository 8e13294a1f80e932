import type { Rule } from '../../src/model/rule.js';
import type { Proposal } from '../../src/proposal/proposal.js';
import { propose } from '../../src/proposal/propose.js';
import { type Scene, SETTINGS, worldOf } from '../plan/scene.js';

/** What is proposed for a scene. */
export function proposalFor(from: Scene, canWrite: (rule: Rule) => boolean = () => true): Proposal {
  return propose({
    mapping: from.mapping,
    settings: SETTINGS,
    world: worldOf(from),
    entries: from.entries.values(),
    clientsByToken: new Map(),
    canWrite,
  });
}
