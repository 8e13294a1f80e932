import { accessText } from '../../app/access-text.js';
import type { CallConditions } from '../../app/explain-call.js';
import {
  arrivalText,
  candidateText,
  claimText,
  clientText,
  decidingText,
} from '../../app/explain-sentences.js';
import { firstToMend } from '../../app/first-to-mend.js';
import { remains } from '../../app/remains.js';
import { type Explanation, isAllowed, type Verdict } from '../../plan/explain.js';
import { decisionText } from './decision-text.js';
import { behindText } from './reach-text.js';
import { breakGlassLine } from './ruling-text.js';
import { printable, type Screen } from './screen.js';

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
  if (mend !== undefined) fact('mend', mend.what);
  for (const note of notes(explanation, conditions)) fact('note', note);
  if (!conditions.areOrdersKnown && explanation.client !== undefined) fact('daemon', ORDERS_UNKNOWN);
  const { lastDecision, lastChange } = conditions;
  for (const each of new Set([lastChange, lastDecision]))
    if (each !== undefined) screen.line(`  ${'decision'.padEnd(10)} ${decisionText(each, colors)}`);
  const { residual, time } = lastChange ?? lastDecision ?? {};
  if (residual !== undefined && time !== undefined)
    for (const { text } of remains(residual, time)) fact('remains', text);
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
