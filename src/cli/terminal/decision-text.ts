import type { DecidedPerson, Decision, Outcome } from '../../model/decision.js';
import { type Colors, printable } from './screen.js';

/** One line: time, outcome, action, source -> destination, reason, client or person, scopes. */
export function decisionText(decision: Decision, colors: Colors): string {
  const { client, person, scopes = [], detail, principal } = decision;
  const by = principal === undefined ? '' : `by ${principal.id}`;
  const parts = [
    colors.dim(decision.time),
    paint(decision.outcome, colors)(decision.outcome.padEnd(8)),
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

function paint(outcome: Outcome, colors: Colors): (text: string) => string {
  switch (outcome) {
    case 'applied':
      return colors.green;
    case 'held':
    case 'refused':
      return colors.yellow;
    case 'failed':
    case 'unknown':
      return colors.red;
    case 'observed':
      return colors.dim;
  }
}
