import { isRe2 } from '../src/model/re2.js';

/**
 * The fault of a regular expression for RE2, which Envoy uses (google/re2 doc/syntax.txt), or undefined. RE2 has no
 * lookaround and no backreferences. What people bring from other engines has a message of its own.
 */
export function regexFault(pattern: string): string | undefined {
  if (pattern.length > 1024) return 'is longer than 1024 characters; shorten it';
  const outside = outsideClasses(pattern);
  if (/\(\?<?[=!]/.test(outside))
    return 'uses lookaround, which RE2 does not have; write it without (?= (?! (?<= (?<!';
  if (/\\[1-9]|\\k[<{']|\(\?P=/.test(outside))
    return 'uses a backreference, which RE2 does not have; write it out';
  if (/\(\?(?:>|\(|#|R|&)/.test(outside)) return 'uses a group that RE2 does not have; use ( ) or (?: )';
  if (/(?:[*+?]|\{\d+(?:,\d*)?\})\+/.test(outside))
    return 'uses a possessive quantifier, which RE2 does not have; drop the +';
  const escaped = /\\[^aftnrvdDsSwWbBAzCQEpPx0-9\W]/.exec(outside);
  if (escaped !== null) return 'uses an escape that RE2 does not have; escape punctuation only';
  for (const [, low = '', high = ''] of outside.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) {
    if (Number(low) > 1000 || Number(high) > 1000)
      return 'repeats more than 1000 times, which RE2 refuses; use * or +';
  }
  return isRe2(pattern)
    ? undefined
    : 'is not an expression of RE2; check its brackets, parentheses, quantifiers and names of classes';
}

/** The pattern with character classes and escaped backslashes replaced, so that `[(?=]` does not look like lookaround. */
function outsideClasses(pattern: string): string {
  return pattern
    .replaceAll('\\\\', '__')
    .replaceAll(/\\\[|\\\]|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]/g, (match) =>
      match.startsWith('\\') ? '__' : '_',
    );
}
