import { type Finding, ok, warning } from './finding.js';

/** A Date header is exact to the second, and the answer was under way for a while. */
const TOLERANCE_MS = 10_000;

/** Whether a server's clock and ours agree well enough for tokens and signed events. */
export function skewFinding(id: string, whose: string, serverTime: string, now: number): readonly Finding[] {
  const skewMs = now - Date.parse(serverTime);
  if (Number.isNaN(skewMs)) return [];
  if (Math.abs(skewMs) <= TOLERANCE_MS) return [ok(id, `the clock of ${whose} agrees with this one`)];
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return [
    warning(
      id,
      `the clock of ${whose} is ${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} this one`,
      'let both machines keep time by NTP; signed events and tokens are refused when clocks differ by minutes',
    ),
  ];
}
