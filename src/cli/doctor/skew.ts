import { type Finding, ok, warning } from './finding.js';

/** A Date header is exact to the second, and the answer took some time. */
const TOLERANCE_MS = 10_000;

/** Whether the clock of a server and ours agree well enough for tokens and signed events. */
export function skewFinding(id: string, whose: string, serverTime: string, now: number): readonly Finding[] {
  const skewMs = now - Date.parse(serverTime);
  if (Number.isNaN(skewMs)) return [];
  if (Math.abs(skewMs) <= TOLERANCE_MS) return [ok(id, `the clock of ${whose} agrees with this one`)];
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return [
    warning(
      id,
      `the clock of ${whose} is ${seconds} s ${skewMs > 0 ? 'behind' : 'ahead of'} this one`,
      'synchronise both machines by NTP; signed events and tokens are refused if the clocks differ by minutes',
    ),
  ];
}
