import { principalText } from '../../model/cause.js';
import type { DecidedPerson, Decision, Outcome } from '../../model/decision.js';
import { type Colors, printable } from './screen.js';

/** One line: time, outcome, action, source -> destination, reason, client or person, scopes. */
export function decisionText(decision: Decision, colors: Colors): string {
  const { client, person, scopes = [], detail, principal } = decision;
  const by = principal === undefined ? '' : `by ${principalText(principal)}`;
  const parts = [
    colors.dim(decision.time),
    colors[COLOR[decision.outcome]](decision.outcome.padEnd(8)),
    decision.action.padEnd(6),
    printable(about(decision)),
    colors.bold(decision.reason),
    printable(client === undefined ? '' : `${client.provider}/${client.clientId}`),
    printable(person === undefined ? '' : personText(person)),
    printable(scopes.join(' ')),
    printable(by),
    // A change that was applied needs no explanation.
    decision.outcome === 'applied' || detail === undefined ? '' : colors.dim(printable(detail)),
  ];
  return parts.filter((part) => part !== '').join('  ');
}

/** The person, and the group that gives the access. */
export function personText({ provider, subject, group }: DecidedPerson): string {
  return `person ${provider}/${subject ?? 'unknown'} by ${group ?? 'an unknown group'}`;
}

function about({ resource, subject }: Decision): string {
  if (resource.source !== undefined && resource.destination !== undefined)
    return `${resource.source} -> ${resource.destination}`;
  return resource.name === undefined ? subject : `${resource.kind} ${resource.name}`;
}

const COLOR = {
  applied: 'green',
  held: 'yellow',
  refused: 'yellow',
  failed: 'red',
  unknown: 'red',
  observed: 'dim',
} as const satisfies Record<Outcome, keyof Colors>;
