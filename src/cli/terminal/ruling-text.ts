import type { BreakGlassView } from '../../plan/break-glass-view.js';
import type { DenyView } from '../../plan/deny-view.js';

/** One line for a person. */
export function denyLine({ source, destination, reason, by, until, endedAt }: DenyView): string {
  return `${source} -> ${destination}  ${endedAt === null ? `until ${until}` : `ended ${endedAt}`}  ${by}: ${reason}`;
}

/** One line for a person. */
export function breakGlassLine(view: BreakGlassView): string {
  const { id, state, source, destination, methods, path, until, askedBy, approvedBy, reason } = view;
  const what = [`${source} -> ${destination}`, methods?.join(','), path].filter(Boolean).join(' ');
  const who = approvedBy === null ? askedBy : `${askedBy}, approved by ${approvedBy}`;
  const when =
    state === 'asked' ? 'waits for a second person' : `${state === 'open' ? 'until' : 'ended'} ${until}`;
  return `${id}  ${what}  ${when}  ${who}: ${reason}`;
}
