import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';

/** An expression of RE2, as Envoy and Consul read it. */
interface Expression {
  /** Whether the whole text matches, as Envoy matches; undefined if the text is too long to be judged here. */
  readonly matches: (text: string) => boolean | undefined;
  /** The same of any part of the text, as Go's `MatchString` matches. */
  readonly isIn: (text: string) => boolean | undefined;
}

/** Expressions come from others: these limits keep the judgement of one to some milliseconds. */
const LONGEST = 1_000;
const MAX_INSTRUCTIONS = 2_000;
/** Instructions times characters. */
const MAX_STEPS = 500_000;

/** Questions ask about the same few expressions again and again. */
const known = new Map<string, Expression | undefined>();
const MAX_KEPT = 50;

/** Undefined for what RE2 refuses, or what is too large to be judged here. */
export function toExpression(text: string): Expression | undefined {
  if (text.length > LONGEST) return undefined;
  if (!known.has(text)) {
    if (known.size >= MAX_KEPT) known.clear();
    known.set(text, expressionOf(text));
  }
  return known.get(text);
}

/** Whether RE2 accepts an expression of any size. Its author alone may ask: a large one takes a second. */
export function isRe2(text: string): boolean {
  return compile(text) !== undefined;
}

function expressionOf(text: string): Expression | undefined {
  if (sizeOf(text) > MAX_INSTRUCTIONS) return undefined;
  const program = compile(text);
  if (program === undefined || program.programSize() > MAX_INSTRUCTIONS) return undefined;
  const isShort = ({ length }: string) => program.programSize() * length <= MAX_STEPS;
  return {
    matches: (value) => (isShort(value) ? program.testExact(value) : undefined),
    isIn: (value) => (isShort(value) ? program.test(value) : undefined),
  };
}

function compile(text: string): RE2JS | undefined {
  // Loaded with the first expression: few processes judge one.
  const library: typeof import('re2js') = createRequire(import.meta.url)('re2js');
  try {
    return library.RE2JS.compile(text);
  } catch (error) {
    if (error instanceof library.RE2JSException) return undefined;
    throw error;
  }
}

const TOKEN = /\\[xpP]\{[^}]*\}|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|\{(\d+),?(\d*)\}|./gsu;

/** Without regard to case, the library goes through a range code point by code point: up to 125,000 steps. */
const IGNORES_CASE = /\(\?[a-z]*i/i;
const WIDE_RANGE = /^\[(?=.*-).*(?:[^\0-\x7f]|\\[x0-7])/su;

/** About how many instructions the program will have, so that a large one is not even made: 50 atoms a thousand times each. */
function sizeOf(text: string): number {
  // What is quoted would have to be read in another way.
  if (text.includes('\\Q')) return Number.POSITIVE_INFINITY;
  const ignoresCase = IGNORES_CASE.test(text);
  const open = [0];
  let last = 0;
  const add = (size: number) => {
    last = size;
    open.push((open.pop() ?? 0) + size);
  };
  for (const [quantifier, least, most] of text.matchAll(TOKEN)) {
    if (ignoresCase && WIDE_RANGE.test(quantifier)) return Number.POSITIVE_INFINITY;
    if (quantifier === '(') open.push(0);
    else if (quantifier === ')' && open.length > 1) add((open.pop() ?? 0) + 1);
    else if (least === undefined) add(1);
    else {
      const whole = last * Math.max(Number(least), Number(most), 1);
      add(whole - last);
      last = whole;
    }
  }
  return open.reduce((sum, size) => sum + size, 0);
}
