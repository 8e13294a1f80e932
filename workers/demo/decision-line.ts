import type { Decision } from '../../src/model/decision.js';
import { printable } from '../terminal/screen.js';
import { type Style, truncate } from './style.js';

const PAIR_CELLS = 22;
const REASON_CELLS = 20;
/** Below this there is room for a reason, but not for what comes after it. */
const NARROW = 72;

/**
 * One decision on one line: time, sign, source and destination, reason, scopes, how long it took. Undefined for
 * what a person need not see: a comparison that found nothing to do.
 */
export function toDecisionLine(decision: Decision, style: Style): string | undefined {
  const { colors, signs } = style;
  const { outcome, action, reason, resource, scopes = [], latencyMs, detail } = decision;
  if (resource.kind === 'sweep') return undefined;
  const sign =
    outcome === 'held'
      ? colors.yellow(signs.held)
      : outcome !== 'applied'
        ? colors.yellow(signs.other)
        : action === 'revoke'
          ? colors.red(signs.closed)
          : action === 'grant'
            ? colors.green(signs.opened)
            : colors.cyan(signs.other);
  const pair =
    resource.source === undefined || resource.destination === undefined
      ? `${resource.kind} ${resource.name ?? ''}`
      : `${resource.source} ${signs.arrow} ${resource.destination}`;
  const told = outcome === 'applied' ? '' : outcome === 'held' ? 'held' : outcome;
  const took =
    latencyMs === undefined ? '' : `${latencyMs < 10 ? latencyMs.toFixed(1) : Math.round(latencyMs)} ms`;
  const rest = [told, scopes.join(' '), took, outcome === 'applied' ? '' : (detail ?? '')]
    .filter((part) => part !== '')
    .join('  ');
  const left = `${printable(pair).padEnd(PAIR_CELLS)} ${reason.padEnd(REASON_CELLS)}`;
  const room = style.columns() - 1 - `${timeOf(decision)} ${signs.opened} `.length;
  const text = style.columns() < NARROW ? left.trimEnd() : `${left} ${printable(rest)}`.trimEnd();
  return `${colors.dim(timeOf(decision))} ${sign} ${truncate(text, room, style)}`;
}

/** In the zone of whoever looks at the screen. */
function timeOf(decision: Decision): string {
  const time = new Date(decision.time);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}
