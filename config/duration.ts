const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30s`, `500ms`, `1h30m`: whole numbers with the units ms, s, m, h, d. */
export const DURATION = /^(?:\d{1,9}(?:ms|s|m|h|d))+$/;

/** Milliseconds; undefined for a text that is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let total = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(/(\d+)(ms|[smhd])/g)) {
    total += Number(amount) * (UNITS[unit] ?? Number.NaN);
  }
  return total;
}
