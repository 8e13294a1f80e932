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
  const source = rest.replace(/\\(?:x([0-9a-fA-F]{2})|([\s\S]))/g, (written, hex, letter) => {
    if (hex !== undefined) return `\\u00${hex}`;
    if (letter === 'A') return '^';
    if (letter === 'z') return '$';
    // Only RE2 takes an escape of any punctuation.
    return /[!"#%&',\-:;<=>@_`~]/.test(letter) ? `\\u00${letter.charCodeAt(0).toString(16)}` : written;
  });
  try {
    return new RegExp(source, `u${flags?.[1] ?? ''}`);
  } catch {
    return undefined;
  }
}

/** As `toPattern`, for a match of the whole text, as Envoy matches. */
export function toWholePattern(text: string): RegExp | undefined {
  const pattern = toPattern(text);
  // With (?m) the ends of a line are no ends of the text.
  if (pattern === undefined || pattern.multiline) return undefined;
  return new RegExp(`^(?:${pattern.source})$`, pattern.flags);
}

const LITERAL = String.raw`\\[\^$\\.*+?()[\]{}|/]|[^\\^$|?*+()[\]{}.]`;
const ATOM = String.raw`${LITERAL}|\.|\\[dDwW]|\\u00[0-9a-fA-F]{2}|\[(?:\\.|[^\]\\])+\]`;
const REPEAT = String.raw`(?:[*+?]|\{\d+(?:,\d*)?\})\??`;
const STEP = new RegExp(`(${ATOM})(${REPEAT})?`, 'gu');
/** At the end, as in `/v1/orders(/[a-z]+)*`. */
const TAIL = new RegExp(String.raw`\((?:\?:)?(${LITERAL})((?:${ATOM})[*+]?)\)[*+?]$`, 'u');

/** Questions ask about the same few expressions again and again. */
const linear = new Map<string, RegExp | undefined>();
const MOST_KEPT = 100;

/**
 * As `toWholePattern`, for an expression of others: undefined too unless JavaScript, which backtracks, matches it in time
 * linear in the text. That is a row of characters and classes, in which each repeated one is followed by the end or by a
 * character that it does not match, so that each text has one reading.
 */
export function toLinearPattern(text: string): RegExp | undefined {
  if (text.length > longestPattern) return undefined;
  if (!linear.has(text)) {
    if (linear.size >= MOST_KEPT) linear.clear();
    linear.set(text, linearPatternOf(text));
  }
  return linear.get(text);
}

function linearPatternOf(text: string): RegExp | undefined {
  const pattern = toPattern(text);
  if (pattern === undefined) return undefined;
  const body = pattern.source.replace(/^\^/, '').replace(/(?<!\\)\$$/, '');
  const [tail = '', first = '', repeated = ''] = TAIL.exec(body) ?? [];
  const row = body.slice(0, body.length - tail.length);
  const steps = [...row.matchAll(STEP)];
  if (steps.map(([step]) => step).join('') !== row) return undefined;
  if (tail !== '') steps.push(...`${first}${repeated}${first}`.matchAll(STEP));
  const isClear = steps.every((step, at) => isOver(step, steps.slice(at + 1), pattern.flags));
  return isClear ? toWholePattern(text) : undefined;
}

/** Whether the first character that the step does not take is none of its own. */
function isOver(
  [, atom = '', repeat]: readonly string[],
  later: readonly (readonly string[])[],
  flags: string,
) {
  if (repeat === undefined || /^\{\d+\}/.test(repeat)) return true;
  for (const [, next = '', again] of later) {
    if (!new RegExp(`^(?:${LITERAL})$`, 'u').test(next)) return false;
    if (new RegExp(`^(?:${atom})$`, flags).test(next.replace(/^\\/, ''))) return false;
    if (again === undefined || again.startsWith('+')) return true;
  }
  return true;
}
