import { openEdges, reportReach } from '../../app/reach-of-plan.js';
import type { Reads } from '../../app/read-reach.js';
import type { Obstacle } from '../../plan/reach.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, notice, ok, warning } from './finding.js';

const REMEDY = 'scopemesh explain SOURCE DESTINATION prints the registration or config entry that mends it';

const MAX_EDGES = 200;

/** Open edges whose calls do not arrive, one finding for each kind of obstacle. */
export async function reachFindings(
  consul: Reads,
  world: WorldState,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const open = openEdges(world);
  if (open.length === 0) return [];
  const { edges, checked, unchecked, trouble } = await reportReach(open, MAX_EDGES, consul, world, signal);
  if (trouble !== undefined)
    return [
      notice(
        'reach',
        `whether allowed calls arrive is not checked: ${trouble}`,
        'check the ACL token: it needs service:read and node:read',
      ),
    ];
  const byKind = new Map<string, { readonly blocks: boolean; readonly messages: Set<string> }>();
  for (const { kind, blocks, message } of edges.flatMap(({ obstacles }): readonly Obstacle[] => obstacles)) {
    const id = `reach.${kind}${blocks ? '' : '.in-part'}`;
    const found = byKind.get(id) ?? { blocks, messages: new Set<string>() };
    byKind.set(id, { ...found, messages: found.messages.add(message) });
  }
  const limit =
    unchecked === 0
      ? []
      : [notice('reach.unchecked', `${unchecked} open edges are not checked for reach`, REMEDY)];
  if (byKind.size === 0)
    return [ok('reach', `calls can arrive over all ${checked} open edges that were checked`), ...limit];
  return [
    ...[...byKind].map(([id, { blocks, messages }]) =>
      blocks
        ? warning(id, `allowed calls do not arrive: ${namesText([...messages], '; ')}`, REMEDY)
        : notice(
            id,
            `some allowed calls go elsewhere or do not arrive: ${namesText([...messages], '; ')}`,
            REMEDY,
          ),
    ),
    ...limit,
  ];
}
