const longestPattern = 1000;

/**
 * Converts a regular expression of RE2 to JavaScript. Undefined where RE2 refuses it, and for rare syntax that the
 * two read differently (named classes, `\Q`, flags in the middle).
 */
export function toPattern(text: string): RegExp | undefined {
  if (text.length > longestPattern) return undefined;
  const flags = /^\(\?([ims]+)\)/.exec(text);
  const rest = text.slice(flags?.[0].length ?? 0).replaceAll('(?P<', '(?<');
  // Lookarounds, back references, atomic and inline-flag groups, classes and escapes of one side alone.
  if (/\(\?(?:[=!>]|<[=!]|[a-zA-Z-]+[:)])/.test(rest)) return undefined;
  if (/\\[1-9kcuXQEZG]|\[\[:/.test(rest)) return undefined;
  const source = rest
    .replaceAll('\\A', '^')
    .replaceAll('\\z', '$')
    .replace(/\\x([0-9a-fA-F]{2})/g, '\\u00$1');
  try {
    return new RegExp(source, `u${flags?.[1] ?? ''}`);
  } catch {
    return undefined;
  }
}
