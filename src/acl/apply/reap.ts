import { stampOf } from '../../apply/deps.js';
import { journaledWrite, type WriteAnswer } from '../../apply/journaled-write.js';
import { recoverWrites } from '../../apply/recover-writes.js';
import { SyncError } from '../../errors.js';
import type { DraftDecision } from '../../model/decision.js';
import { UNKNOWN } from '../../model/residual.js';
import { policyOf } from '../../plan/mode.js';
import { hasOurName } from '../../plan/object-names.js';
import { aclSubject } from '../plan/acl-change.js';
import { orphans } from '../plan/tokens.js';
import { isAclActive } from './acl-state.js';
import type { AclDeps } from './deps.js';
import { endedTokensText, noteEnded } from './end-tokens.js';

const NONE_ENDED = 'no orphaned token could be ended; the next comparison tries again';
/** Of a process that died between its batches: how many tokens it ended is unknown. */
const UNKNOWN_NUMBER = {
  outcome: 'unknown',
  reason: 'Interrupted',
  detail: 'scopemesh was interrupted while it ended orphaned tokens; those that are left are found again',
} as const;

/** A rate that does not disturb Consul's other work. */
const PER_SECOND = 200;
/** More urgent work goes first between two batches. */
const BATCH = 50;

/**
 * Ends the live tokens of ours that no login would issue now, at a bounded rate, with one decision for all. It reads
 * completely, and the tokens before the objects, so that the token of a login in between is not an orphan. `letBy`
 * resolves when there is no more urgent work; it is called before the read and before each further batch. Resolves with
 * the number of ended tokens.
 */
export async function reap(
  deps: AclDeps,
  letBy: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  const { consul, world, journal } = deps;
  const { owner } = world.mapping;
  if (!isAclActive(deps) || !policyOf(world.mapping).removes) return 0;
  const key = `reaper/${owner}`;
  await recoverWrites(key, await journal.read(key), { find: () => UNKNOWN_NUMBER }, deps);
  // The tokens of a rule that is about to be created again would look like orphans.
  await letBy(signal);
  const tokens = await consul.acl.tokens('all', signal);
  const snapshot = await consul.acl.read((name) => hasOurName(owner, name), signal);
  const ids = orphans(tokens, owner, snapshot);
  if (ids.length === 0) return 0;

  const draft = draftOf(deps);
  let ended = 0;
  let failure: { readonly error: unknown } | undefined;
  // No other reload may postpone the end of tokens until the next comparison.
  const isAsPlanned = () => world.mapping.owner === owner && policyOf(world.mapping).removes;
  // What ended is settled whatever fails: the next comparison finds the rest.
  const send = async (): Promise<WriteAnswer> => {
    for (let at = 0; at < ids.length; at += BATCH)
      try {
        if (at > 0) await letBy(signal);
        if (!isAsPlanned()) break;
        ended += await consul.acl.deleteTokens(ids.slice(at, at + BATCH), signal, PER_SECOND);
      } catch (error) {
        failure = { error };
        // A refused token does not keep the others alive.
        if (!(error instanceof SyncError) || error.code !== 'ERR_CONSUL_REJECTED') break;
      }
    noteEnded(ended, draft.reason, deps);
    if (ended === 0) return { kind: 'failed', detail: NONE_ENDED };
    const detail = await endedTokensText(ended, deps, AbortSignal.timeout(1_000));
    return { kind: 'written', detail: `orphans, which no login would give any more: ${detail}` };
  };
  await journaledWrite({ key, requests: [{ drafts: [draft], send }], isAsPlanned }, deps, signal);
  if (failure !== undefined) throw failure.error;
  return ended;
}

function draftOf(deps: AclDeps): DraftDecision {
  const stamp = stampOf(deps);
  const { owner } = deps.world.mapping;
  return {
    id: stamp.newId(),
    type: 'dev.scopemesh.acl-token.deleted',
    subject: aclSubject('acl-token', owner, 'orphans'),
    source: stamp.source,
    action: 'revoke',
    reason: 'DriftCorrected',
    resource: { kind: 'acl-token', name: 'orphans' },
    cause: { kind: 'resync', receivedAt: stamp.time },
    before: null,
    after: null,
    residual: { agentCache: deps.acl.knownAgentCache ?? UNKNOWN },
    mappingRevision: stamp.mappingRevision,
    expectedIndex: 0,
  };
}
