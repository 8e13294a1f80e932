import { printable } from '../cli/terminal/screen.js';
import type { Decision } from '../model/decision.js';
import { type Style, truncate } from './style.js';

const PAIR_CELLS = 20;
const REASON_CELLS = 20;
const TIME_CELLS = 6;
/** A text is not shown with fewer cells than this. */
const MIN_CELLS = 16;

/**
 * One decision on one line: time, sign, source and destination, reason, latency, scopes, and as much of the client and
 * detail as there is room for. Undefined for the summary of a complete comparison, which a person need not see.
 */
export function toDecisionLine(decision: Decision, style: Style): string | undefined {
  const { colors, signs } = style;
  const { reason, resource, scopes = [], latencyMs, detail, client, outcome } = decision;
  if (resource.kind === 'sweep') return undefined;
  const pair =
    resource.source === undefined || resource.destination === undefined
      ? `${resource.kind} ${resource.name ?? ''}`
      : `${resource.source} ${signs.arrow} ${resource.destination}`;
  const took = outcome !== 'applied' ? outcome : latencyMs === undefined ? '' : toLatency(latencyMs);
  const start = [
    printable(pair).padEnd(PAIR_CELLS),
    reason.padEnd(REASON_CELLS),
    took.padStart(TIME_CELLS),
  ].join(' ');
  const rest = [
    scopes.join(' '),
    outcome === 'applied' ? '' : (detail ?? ''),
    client === undefined ? '' : `client ${client.clientId} (${client.actorKind})`,
  ];
  const room = style.columns() - 1 - `${toTime(decision)} ${signs.opened} `.length;
  let text = truncate(start, room, style);
  for (const part of rest.filter((each) => each !== '').map(printable)) {
    const left = room - text.length - 2;
    if (part.length > left && left < MIN_CELLS) break;
    text += `  ${truncate(part, left, style)}`;
  }
  return `${colors.dim(toTime(decision))} ${toSign(decision, style)} ${text.trimEnd()}`;
}

function toSign({ outcome, action }: Decision, { colors, signs }: Style): string {
  if (outcome === 'held') return colors.yellow(signs.held);
  if (outcome !== 'applied') return colors.yellow(signs.other);
  if (action === 'revoke') return colors.red(signs.closed);
  return action === 'grant' ? colors.green(signs.opened) : colors.cyan(signs.other);
}

function toLatency(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}

/** The local time. */
function toTime(decision: Decision): string {
  const time = new Date(decision.time);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}
