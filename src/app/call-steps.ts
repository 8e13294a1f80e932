import type { Mapping } from '../model/rule.js';
import { admits } from '../plan/access.js';
import { type Explanation, isAllowed } from '../plan/explain.js';
import { compilePattern } from '../plan/pattern.js';
import { accessText } from './access-text.js';
import type { CallConditions } from './explain-call.js';
import { arrivalText, claimText, clientText, decidingText } from './explain-sentences.js';

/** One link of the chain from the claim to the arrival. `ok`: null if it does not count, or cannot be judged. */
export interface CallStep {
  readonly name: 'claim' | 'client' | 'scope' | 'rule' | 'intention' | 'arrival';
  readonly ok: boolean | null;
  readonly text: string;
}

/** The chain behind a verdict, and the first link that is broken; undefined if the call is allowed and may arrive. */
export function stepsOf(
  explanation: Explanation,
  conditions: CallConditions,
  mapping: Pick<Mapping, 'rules'>,
): { readonly steps: readonly CallStep[]; readonly firstBroken: CallStep['name'] | undefined } {
  const { claim, client, verdict, denied } = explanation;
  const isIn = isAllowed(verdict);
  const { arrives } = conditions;
  const steps: readonly CallStep[] = [
    {
      name: 'claim',
      ok: claim.kind === 'unknown' ? null : claim.kind === 'claimed',
      text: claimText(explanation),
    },
    {
      name: 'client',
      ok: client === undefined ? null : isUsable(client),
      text: client === undefined ? 'no client counts for this service' : clientText(explanation),
    },
    ...grantSteps(explanation, mapping),
    {
      name: 'intention',
      ok: isIn ? true : verdict === 'unclear' ? null : false,
      text: [denied ?? decidingText(explanation), ...heldTexts(explanation)].join('; '),
    },
    {
      name: 'arrival',
      ok: arrives === 'yes' ? true : arrives === 'no' ? false : null,
      text: arrivalText(verdict, conditions),
    },
  ];
  if (isIn) return { steps, firstBroken: arrives === 'no' ? 'arrival' : undefined };
  // A deny of a person is over all of it, and an intention that nobody can judge may be about anything.
  if (denied !== undefined || verdict === 'unclear') return { steps, firstBroken: 'intention' };
  return { steps, firstBroken: steps.find(({ ok }) => ok === false)?.name };
}

function isUsable({ isReadable, exists, enabled, closure }: NonNullable<Explanation['client']>): boolean {
  return isReadable && exists && enabled && closure === undefined;
}

function grantSteps(
  { client, openings, request, destination, holds }: Explanation,
  { rules }: Pick<Mapping, 'rules'>,
): readonly CallStep[] {
  const scope = (ok: boolean | null, text: string): CallStep => ({ name: 'scope', ok, text });
  const rule = (ok: boolean | null, text: string): CallStep => ({ name: 'rule', ok, text });
  if (client === undefined || !isUsable(client))
    return [
      scope(null, 'the scopes of the client do not count now'),
      rule(null, 'no scope counts, so no rule opens anything'),
    ];
  if (openings.length > 0) {
    const opens = openings.map((each) => `scope ${each.scope} opens ${accessText(each.access)}`).join('; ');
    const isOther =
      request !== undefined && openings.every(({ access }) => admits(access, request) === false);
    return [
      scope(true, `the client holds ${[...new Set(openings.map((each) => each.scope))].join(', ')}`),
      rule(!isOther, isOther ? `${opens}, and no rule opens this request` : opens),
    ];
  }
  const held = holds.flatMap(({ scopes }) => scopes);
  if (held.length > 0)
    return [
      scope(true, `the client holds ${[...new Set(held)].join(', ')}`),
      rule(null, 'what its rule opens is held'),
    ];
  // A rule that takes the destination from the scope opens it for a scope of its form.
  const name = destination.name.toLowerCase();
  const named = rules.filter(
    ({ to }) => to !== undefined && compilePattern(to.toLowerCase()).match(name) !== undefined,
  );
  if (client.limited.length > 0)
    return [
      scope(true, `the client holds ${client.limited.join(', ')}`),
      rule(false, `a client of kind ${client.actorKind} may not use ${client.limited.join(', ')} (actors)`),
    ];
  if (named.length > 0) {
    const scopes = [...new Set(named.map((each) => each.scope))].join(', ');
    return [
      scope(false, `the client holds no scope that opens ${destination.name}; these do: ${scopes}`),
      rule(true, `rules open ${destination.name} for ${scopes}`),
    ];
  }
  return [
    scope(null, `no rule says which scope opens ${destination.name}`),
    rule(false, `no rule names ${destination.name}, and none opens it for a scope of this client`),
  ];
}

function* heldTexts({ holds, pending }: Explanation): Iterable<string> {
  for (const { reason, detail } of holds) yield `held as ${reason}: ${detail}`;
  if (pending !== undefined) yield `a change is due: ${pending.reason}`;
}
