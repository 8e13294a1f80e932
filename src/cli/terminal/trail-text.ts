import { accessText } from '../../app/access-text.js';
import type { TrailAnswer } from '../../trail/answer.js';
import type { Citation, TrailEdge } from '../../trail/edge.js';
import { isPossiblyOpen } from '../../trail/edge.js';
import type { TrailObject } from '../../trail/what-can.js';
import { printable, type Screen } from './screen.js';

/** An edge in some lines: what it allows, for whom, since when, and the decisions that say so. */
export function printEdge(edge: TrailEdge, { line, colors }: Screen, name = edgeName(edge)): void {
  const { client, scopes, since, decision, certainty, undecided, possible, held } = edge;
  line(`${colors.bold(printable(name))}  ${accessText(edge.access)}`);
  const who = client === undefined ? [] : [`${client.provider}/${client.clientId} (${client.actorKind})`];
  const by = [...who, ...(scopes.length === 0 ? [] : [`scopes ${scopes.join(' ')}`])];
  if (by.length > 0) line(`    ${printable(by.join(', '))}`);
  if (since !== undefined) line(`    since    ${citation(since)}`);
  else if (isPossiblyOpen(edge)) line('    since    before the trail says when');
  if (since?.id !== decision.id)
    line(`    ${certainty === 'before' ? 'found by' : 'changed '} ${citation(decision)}`);
  if (undecided !== undefined)
    line(`    ${colors.red('unknown')}  perhaps ${accessText(possible)}: ${citation(undecided)}`);
  if (held !== undefined) line(`    ${colors.yellow('held')}     ${citation(held)}`);
}

export function printObject(
  { subject, scopes, group, since, decision, content }: TrailObject,
  screen: Screen,
): void {
  screen.line(screen.colors.bold(printable(subject)));
  const by = [...scopes.map((scope) => `scope ${scope}`), ...(group === undefined ? [] : [`group ${group}`])];
  if (by.length > 0) screen.line(`    ${printable(by.join(', '))}`);
  screen.line(`    ${printable(JSON.stringify(content))}`);
  screen.line(`    since    ${since === undefined ? 'before the trail says when' : citation(since)}`);
  if (since?.id !== decision.id) screen.line(`    changed  ${citation(decision)}`);
}

/** The end of every answer: as of when, and what it cannot know. */
export function printLimits({ at, asOf, unknown }: TrailAnswer, { line, colors }: Screen): void {
  line();
  line(colors.dim(`at ${at}${asOf === undefined || asOf >= at ? '' : `; the last decision is of ${asOf}`}`));
  for (const limit of unknown) line(colors.dim(printable(limit)));
}

export function citation({ id, time, reason, principal }: Citation): string {
  return printable(`${time}  ${reason}${principal === undefined ? '' : ` by ${principal}`}  ${id}`);
}

export function edgeName({ source, destination }: Pick<TrailEdge, 'source' | 'destination'>): string {
  return `${source} -> ${destination}`;
}
