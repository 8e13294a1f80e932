import type { ReachReport } from '../../app/reach-of-plan.js';
import { columns, printable, type Screen } from './screen.js';

export function behindText(serviceName: string, gateways: readonly string[]): string {
  const isOne = gateways.length === 1;
  return `${serviceName} is behind the terminating ${isOne ? 'gateway' : 'gateways'} ${gateways.join(', ')}, which ${isOne ? 'enforces' : 'enforce'} its intentions`;
}

/** The most lines of a plan about reach. */
const MAX_LINES = 20;

/** What is open, or a plan opens, without letting calls arrive. */
export function printReach({ edges, behind, unchecked, trouble }: ReachReport, screen: Screen): void {
  if (trouble !== undefined) {
    screen.warn(`whether allowed calls arrive is not checked: ${trouble}`);
    return;
  }
  const rows = edges.flatMap(({ source, destination, obstacles }) =>
    obstacles.map(({ message }) => [printable(`${source.name} -> ${destination.name}`), printable(message)]),
  );
  if (rows.length > 0) {
    screen.line();
    screen.line(
      'Open, but calls do not arrive, or not all (scopemesh explain SOURCE DESTINATION says what mends it):',
    );
    screen.line();
    for (const text of columns(rows.slice(0, MAX_LINES))) screen.line(`    ${text}`);
    if (rows.length > MAX_LINES) screen.line(`    and ${rows.length - MAX_LINES} more`);
  }
  if (behind.length > 0) screen.line();
  for (const { service, gateways } of behind.slice(0, MAX_LINES))
    screen.line(`${printable(behindText(service, gateways))}.`);
  if (behind.length > MAX_LINES)
    screen.line(`${behind.length - MAX_LINES} more destinations are behind terminating gateways.`);
  if (unchecked > 0)
    screen.line(`${unchecked} more open edges are not checked for reach; scopemesh doctor checks more.`);
}
