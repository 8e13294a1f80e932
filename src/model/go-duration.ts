const unitNs = new Map(
  Object.entries({ ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }),
);

/** Nanoseconds of a Go duration string, or undefined where Go's `time.ParseDuration` refuses it. */
export function parseGoDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return undefined;
  let total = 0;
  for (const part of (match[2] ?? '').matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(part[1]) * (unitNs.get(part[2] ?? '') ?? 0);
  }
  // A duration has 64 bits, with the sign.
  if (total >= 2 ** 63) return undefined;
  return match[1] === '-' ? -total : total;
}

/** The error text Go gives for a string that `parseGoDuration` refuses. */
export function goDurationError(text: string): string {
  if (/^[+-]?[\d.]+$/.test(text)) return `time: missing unit in duration ${JSON.stringify(text)}`;
  const unknown = /^[+-]?(?:[\d.]+(?:ns|us|µs|μs|ms|s|m|h))*[\d.]+([^\d.]+)/.exec(text);
  if (unknown !== null) {
    return `time: unknown unit ${JSON.stringify(unknown[1])} in duration ${JSON.stringify(text)}`;
  }
  return `time: invalid duration ${JSON.stringify(text)}`;
}

/** The text of a duration of whole or fractional seconds, as Go's `Duration.String` writes it. */
export function formatGoDuration(ns: number): string {
  if (ns === 0) return '0s';
  const sign = ns < 0 ? '-' : '';
  const abs = Math.abs(ns);
  if (abs < 1e3) return `${sign}${abs}ns`;
  if (abs < 1e6) return `${sign}${abs / 1e3}µs`;
  if (abs < 1e9) return `${sign}${abs / 1e6}ms`;
  const hours = Math.floor(abs / 3600e9);
  const minutes = Math.floor((abs % 3600e9) / 60e9);
  const seconds = (abs % 60e9) / 1e9;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  if (minutes > 0) return `${sign}${minutes}m${seconds}s`;
  return `${sign}${seconds}s`;
}
