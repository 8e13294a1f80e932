import type { Decision } from '../../model/decision.js';
import { type Candidate, type Explanation, isAllowed, type Verdict } from '../../plan/explain.js';
import type { Arrival, Obstacle } from '../../plan/reach.js';
import { breakGlassLine } from '../break-glass-view.js';
import { firstToMend } from '../first-to-mend.js';
import { accessText } from './access-text.js';
import { countText } from './count-text.js';
import { decisionText } from './decision-text.js';
import { behindText } from './reach-text.js';
import { residualTexts } from './residual-text.js';
import { printable, type Screen } from './screen.js';

/** What does not decide whether a call is allowed, but whether it works. */
export interface CallConditions {
  readonly isSourceKnown: boolean;
  readonly isDestinationKnown: boolean;
  readonly arrives: Arrival | 'unknown';
  /** Why `arrives` is unknown. */
  readonly arrivesTrouble?: string;
  /** What keeps calls from arriving, or some. */
  readonly obstacles: readonly Obstacle[];
  /** The terminating gateways that enforce the intentions of a destination without a sidecar. */
  readonly behind: readonly string[];
  /** Whether Consul has another entry of the destination than the manifest says. */
  readonly isUnsynced: boolean;
  readonly mode: string;
  /** Whether a running daemon reported its orders. */
  readonly areOrdersKnown: boolean;
  readonly lastDecision?: Decision;
  /** The last decision that changed the edge, such as the one that made it. */
  readonly lastChange?: Decision;
  /** Why the decision log could not be read. */
  readonly logTrouble?: string;
}

/** The identity provider does not show that a client is in quarantine. */
export const ORDERS_UNKNOWN =
  'no daemon answers here, so quarantines that Consul does not show, and ended sessions, are not checked';

/** `consul`: what the client may do with Consul, as named facts. */
export function printExplanation(
  explanation: Explanation,
  conditions: CallConditions,
  consul: Iterable<readonly [name: string, text: string]>,
  screen: Screen,
): void {
  const { colors } = screen;
  const { verdict, holds, pending, candidates } = explanation;
  const call = printable(callText(explanation));
  const paint = isAllowed(verdict) ? colors.green : colors.red;
  screen.line(`${paint(VERDICTS[verdict])}  ${colors.bold(call)}`);
  screen.line();
  const fact = (name: string, text: string) => screen.line(`  ${name.padEnd(10)} ${printable(text)}`);
  fact('intention', decidingText(explanation));
  for (const other of candidates.slice(1)) fact('', `overridden: ${candidateText(other)}`);
  fact('claim', claimText(explanation));
  if (explanation.client !== undefined) fact('client', clientText(explanation));
  for (const { scope, access } of explanation.openings)
    fact('rule', `scope ${scope} opens ${accessText(access)}`);
  if (explanation.openings.length === 0 && explanation.client?.isReadable === true)
    fact(
      'rule',
      isBarred(explanation.client)
        ? 'its scopes open nothing now'
        : 'no rule opens this destination for a scope of this client',
    );
  if (explanation.denied !== undefined) fact('deny', explanation.denied);
  for (const each of explanation.breakGlass) fact('grant', `break-glass ${breakGlassLine(each)}`);
  for (const hold of holds) fact('held', `${[hold.reason, ...hold.scopes].join(' ')}: ${hold.detail}`);
  if (pending !== undefined)
    fact(
      'due',
      `${pending.reason}: ${accessText(pending.before)} -> ${accessText(pending.after)}; see scopemesh plan`,
    );
  for (const [name, text] of consul) fact(name, text);
  fact('arrives', arrivalText(verdict, conditions));
  for (const { message } of conditions.obstacles) fact('', message);
  const mend = firstToMend(explanation, conditions.obstacles);
  if (mend !== undefined) fact('mend', mend);
  for (const note of notes(explanation, conditions)) fact('note', note);
  if (!conditions.areOrdersKnown && explanation.client !== undefined) fact('daemon', ORDERS_UNKNOWN);
  const { lastDecision, lastChange } = conditions;
  for (const each of new Set([lastChange, lastDecision]))
    if (each !== undefined) screen.line(`  ${'decision'.padEnd(10)} ${decisionText(each, colors)}`);
  for (const text of residualTexts((lastChange ?? lastDecision)?.residual ?? {})) fact('remains', text);
  if (conditions.logTrouble !== undefined)
    fact('decision', `the decision log could not be read: ${conditions.logTrouble}`);
}

function isBarred({ exists, enabled, closure: block }: NonNullable<Explanation['client']>): boolean {
  return exists && (!enabled || block !== undefined);
}

function callText({ source, destination, request }: Explanation): string {
  const what = request === undefined ? '' : `  ${request.method} ${request.path}`;
  return `${source.name} -> ${destination.name}${what}`;
}

const VERDICTS: Readonly<Record<Verdict, string>> = {
  allowed: 'allowed',
  'with-token': "allowed with a user's token",
  partly: 'partly allowed',
  denied: 'not allowed',
  unclear: 'unclear',
};

function arrivalText(verdict: Verdict, { arrives, arrivesTrouble = '' }: CallConditions): string {
  const text = { yes: 'yes', partly: 'not every call', no: 'no', unknown: `not checked: ${arrivesTrouble}` }[
    arrives
  ];
  return isAllowed(verdict) || arrives === 'unknown' || arrives === 'no'
    ? text
    : `${text}, once it is allowed`;
}

function decidingText({ candidates, defaultPolicy, request, verdict }: Explanation): string {
  const [deciding] = candidates;
  if (deciding === undefined) {
    return defaultPolicy === 'unknown'
      ? 'none matches this call, so the default policy decides; it cannot be read (agent:read), and scopemesh assumes deny'
      : `none matches this call, so the default policy of the mesh decides: ${defaultPolicy}`;
  }
  const unmatched =
    deciding.access.kind === 'http' && request !== undefined && verdict === 'denied'
      ? '; no permission matches this request'
      : '';
  const unclear =
    deciding.access.kind === 'http' && verdict === 'unclear'
      ? '; scopemesh cannot judge one of its expressions, and only Envoy can'
      : '';
  return candidateText(deciding) + unmatched + unclear;
}

function candidateText(candidate: Candidate): string {
  const { source, destination, access, precedence, isOwned, description, manager } = candidate;
  const whose = [
    isOwned ? 'written by scopemesh' : 'not owned by scopemesh',
    ...(manager === undefined ? [] : [manager]),
  ].join('; ');
  const text = isOwned || description === '' ? '' : `: ${description}`;
  const what =
    access.kind === 'other'
      ? 'has conditions that scopemesh cannot evaluate (tokens of several providers, or permissions that deny)'
      : access.kind === 'http'
        ? `allows ${accessText(access)}`
        : { allow: 'allows everything', deny: 'denies everything' }[access.kind];
  return `${source} -> ${destination} ${what} (precedence ${precedence}, ${whose}${text})`;
}

function claimText({ claim, source }: Explanation): string {
  if (claim.kind === 'none')
    return claim.vanished
      ? `${source.name} has no instance, so it claims no OAuth client`
      : `${source.name} claims no OAuth client`;
  const stated = `${source.name} claims ${claim.client.provider}/${claim.client.clientId}`;
  switch (claim.kind) {
    case 'claimed':
      return `${stated}, and the claim counts`;
    case 'refused':
      return `${stated}, but the claim does not count: ${claim.reason}, ${claim.detail}`;
    case 'unrecorded':
      return claim.unreadableKey === undefined
        ? `${stated}; the claim is not recorded yet`
        : `${stated}, and gains nothing: the record ${claim.unreadableKey} in Consul's KV cannot be read; delete or repair that key`;
    case 'unknown':
      return `${stated}, which was not read at its provider`;
  }
}

/** Names the scopes that matter for this call and counts the others. */
function clientText({ client, openings, holds }: Explanation): string {
  if (client === undefined) return '';
  const {
    provider,
    clientId,
    actorKind,
    isReadable,
    exists,
    enabled,
    closure: block,
    grants,
    limited,
  } = client;
  if (!isReadable)
    return `${provider}/${clientId} has a record at the identity provider that cannot be read (ClientUnreadable)`;
  if (!exists) return `${provider}/${clientId} does not exist at the identity provider`;
  const state = block ?? (enabled ? 'enabled' : 'disabled');
  const never = limited.length === 0 ? '' : `; may not use as ${actorKind}: ${limited.join(' ')}`;
  const relevant = new Set([
    ...openings.map(({ scope }) => scope),
    ...holds.flatMap(({ scopes }) => scopes),
    ...limited,
  ]);
  const named = grants
    .filter(({ name }) => relevant.has(name))
    .map(({ api, name }) => (api === undefined ? name : `${name} of ${api}`));
  const others = grants.length - named.length;
  const count = others === 0 ? [] : [countText(others, named.length === 0 ? 'scope' : 'other scope')];
  const held = grants.length === 0 ? 'no scope' : [...named, ...count].join(', ');
  return `${provider}/${clientId} (${actorKind}, ${state}) holds ${held}${never}`;
}

function* notes(
  { source, destination, awaitsJwtProvider }: Explanation,
  conditions: CallConditions,
): Iterable<string> {
  if (conditions.isUnsynced)
    yield `this is what the manifest of ${destination.name} says; Consul does not have it yet and decides by what it has, so a call may still be allowed or refused otherwise`;
  if (awaitsJwtProvider)
    yield "the jwt-provider that verifies users' tokens is not written yet; see scopemesh plan";
  if (!conditions.isSourceKnown) yield `no instance of ${source.name} is registered in Consul`;
  if (!conditions.isDestinationKnown) yield `no instance of ${destination.name} is registered in Consul`;
  if (conditions.behind.length > 0) yield behindText(destination.name, conditions.behind);
}
