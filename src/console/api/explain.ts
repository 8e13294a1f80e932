import { stepsOf } from '../../app/call-steps.js';
import {
  type AskedCall,
  consulAccess,
  explainCall,
  explainDocument,
  lookAtCall,
} from '../../app/explain-call.js';
import { firstToMend } from '../../app/first-to-mend.js';
import { countInferredAhead } from '../../app/plan-one.js';
import type { Questions } from '../../daemon/questions.js';
import { parseCloudEvent } from '../../decisions/envelope.js';
import { messageOf } from '../../errors.js';
import { fieldOf } from '../../model/field-of.js';
import { isAllowed } from '../../plan/explain.js';
import { intentionSubject } from '../../plan/plan.js';
import { planInFleet } from '../../state/fleet.js';
import type { Explain } from '../answers.js';
import { beginAnswer, type ConsoleParts } from './parts.js';

/** The last decisions of an edge that are looked through for the last change. */
const LOOKED_THROUGH = 50;

/** `GET /api/explain`: whether a call is allowed and arrives, by the functions of `scopemesh explain`. */
export async function explainNow(
  parts: ConsoleParts & { readonly questions: Questions },
  call: AskedCall,
  { principal, signal }: { readonly principal: string; readonly signal: AbortSignal },
): Promise<Explain> {
  const head = await beginAnswer(parts);
  const { deps } = parts.live();
  const { world, window, acl, consul, clock } = deps;
  const sides = { config: parts.config, world, acl, consul };
  const explanation = await explainCall(
    sides,
    call,
    async (destination) => {
      await countInferredAhead(deps);
      return planInFleet(world, window, destination, clock.now());
    },
    clock.now(),
    signal,
  );
  const subject = intentionSubject(explanation.destination, call.source);
  const conditions = {
    ...(await lookAtCall(sides, explanation, true, signal)),
    ...(await lastDecisions(subject, parts, principal, signal)),
  };
  const { steps, firstBroken } = stepsOf(explanation, conditions, world.mapping);
  const access = consulAccess(sides, explanation, clock.now());
  return {
    ...head,
    ...explainDocument(explanation, conditions, access),
    allowed: isAllowed(explanation.verdict),
    verdict: explanation.verdict,
    steps: [...steps],
    firstBroken: firstBroken ?? null,
    remedy: firstToMend(explanation, conditions.obstacles) ?? null,
  };
}

/** From the local trail; without it the rest of the answer stays. */
async function lastDecisions(
  subject: string,
  { questions, live }: ConsoleParts & { readonly questions: Questions },
  principal: string,
  signal: AbortSignal,
) {
  const { clock, world } = live().deps;
  const query = { name: subject, limit: LOOKED_THROUGH };
  const { protectedServices } = world.mapping;
  try {
    const question = { kind: 'history' as const, query, now: clock.now(), protectedServices };
    const answer: unknown = JSON.parse(await questions.ask(principal, question, signal));
    const found = fieldOf(answer, 'decisions');
    const decisions = (Array.isArray(found) ? found : []).map(parseCloudEvent);
    const last = decisions.at(-1);
    const change = decisions.findLast(({ outcome, action }) => outcome === 'applied' && action !== 'none');
    return {
      ...(last === undefined ? {} : { lastDecision: last }),
      ...(change === undefined ? {} : { lastChange: change }),
    };
  } catch (error) {
    signal.throwIfAborted();
    return { logTrouble: messageOf(error) };
  }
}
