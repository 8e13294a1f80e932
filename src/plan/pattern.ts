/** A service name that scopemesh may open: exactly what `{name}` captures. */
const PLAIN_SERVICE = /^[a-z0-9][a-z0-9-]{0,127}$/;

export function isPlainServiceName(text: string): boolean {
  return PLAIN_SERVICE.test(text);
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'name'; readonly name: string };

type Captures = Readonly<Record<string, string>>;

/** A compiled pattern: literal text, `*` for anything (also nothing), `{name}` for a service-like name. */
export interface Pattern {
  readonly text: string;
  /** The captures of a match, or undefined. Case-sensitive, the whole text must match. */
  match(text: string): Captures | undefined;
}

export type PatternCompiler = (text: string) => Pattern;

/**
 * Compiles a pattern; everything that is not `*` or `{name}` is literal. Where a text can be read in several ways,
 * the leftmost wildcard takes as much as it can; a name used twice must match equally in that one reading. Matching
 * takes time linear in the text, whatever a hostile text looks like (a regular expression would backtrack).
 */
export function compilePattern(text: string): Pattern {
  const parts = parse(text);
  if (parts.every((part) => part.kind === 'text'))
    return { text, match: (candidate) => (candidate === text ? {} : undefined) };
  const [first, last] = [parts[0], parts.at(-1)];
  const head = first?.kind === 'text' ? first.text : '';
  const tail = last?.kind === 'text' ? last.text : '';
  return {
    text,
    match(candidate) {
      if (!candidate.startsWith(head) || !candidate.endsWith(tail)) return undefined;
      return capturesOf(parts, candidate);
    },
  };
}

/** A compiler that compiles each text once; for patterns of the configuration, whose number is bounded. */
export function createPatternCompiler(): PatternCompiler {
  const compiled = new Map<string, Pattern>();
  return (text) => {
    let pattern = compiled.get(text);
    if (pattern === undefined) {
      pattern = compilePattern(text);
      compiled.set(text, pattern);
    }
    return pattern;
  };
}

/** Puts captures into a right-hand side; undefined if it names one that was not captured. */
export function substitute(text: string, captures: Captures): string | undefined {
  let result = '';
  for (const part of parse(text)) {
    if (part.kind === 'text') result += part.text;
    else if (part.kind === 'any') result += '*';
    else {
      const value = Object.hasOwn(captures, part.name) ? captures[part.name] : undefined;
      if (value === undefined) return undefined;
      result += value;
    }
  }
  return result;
}

/** The names that a pattern captures or a right-hand side uses. */
export function captureNames(text: string): readonly string[] {
  return parse(text).flatMap((part) => (part.kind === 'name' ? [part.name] : []));
}

/** The captures of the one match in which each wildcard, from the left, takes as much as the rest allows. */
function capturesOf(parts: readonly Part[], text: string): Captures | undefined {
  const reach = reachOf(parts, text);
  const canFollow = (part: number, at: number) => reach[part]?.[at] === 1;
  if (!canFollow(0, 0)) return undefined;
  const captured = new Map<string, string>();
  let at = 0;
  for (const [index, part] of parts.entries()) {
    const from = at;
    if (part.kind === 'text') {
      at += part.text.length;
      continue;
    }
    at = part.kind === 'any' ? text.length : endOfName(text, from);
    while (!canFollow(index + 1, at)) at--;
    if (part.kind === 'any') continue;
    const value = text.slice(from, at);
    if ((captured.get(part.name) ?? value) !== value) return undefined;
    captured.set(part.name, value);
  }
  return Object.fromEntries(captured);
}

/** For each part and position, whether the part and all that follow it can match from there to the end. */
function reachOf(parts: readonly Part[], text: string): readonly Uint8Array[] {
  const end = text.length;
  const reach = Array.from({ length: parts.length + 1 }, () => new Uint8Array(end + 1));
  const last = reach[parts.length];
  if (last !== undefined) last[end] = 1;
  for (let index = parts.length - 1; index >= 0; index--) {
    const [part, here, next] = [parts[index], reach[index], reach[index + 1]];
    if (part === undefined || here === undefined || next === undefined) continue;
    // Whether a name that began before a position can continue or end there.
    let goesOn = false;
    for (let at = end; at >= 0; at--) {
      const canEnd = next[at] === 1;
      switch (part.kind) {
        case 'text':
          here[at] = next[at + part.text.length] === 1 && text.startsWith(part.text, at) ? 1 : 0;
          break;
        case 'any':
          here[at] = canEnd || here[at + 1] === 1 ? 1 : 0;
          break;
        case 'name':
          here[at] = goesOn && isNameStart(text.charCodeAt(at)) ? 1 : 0;
          goesOn = canEnd || (goesOn && isNamePart(text.charCodeAt(at)));
          break;
      }
    }
  }
  return reach;
}

function endOfName(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && isNamePart(text.charCodeAt(at))) at++;
  return at;
}

/** a-z, 0-9 */
function isNameStart(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57);
}

/** Also `-`. */
function isNamePart(code: number): boolean {
  return code === 45 || isNameStart(code);
}

function parse(text: string): readonly Part[] {
  const parts: Part[] = [];
  const placeholder = /\*|\{([a-z][a-zA-Z0-9]*)\}/g;
  let from = 0;
  for (const found of text.matchAll(placeholder)) {
    if (found.index > from) parts.push({ kind: 'text', text: text.slice(from, found.index) });
    parts.push(found[1] === undefined ? { kind: 'any' } : { kind: 'name', name: found[1] });
    from = found.index + found[0].length;
  }
  if (from < text.length) parts.push({ kind: 'text', text: text.slice(from) });
  return parts;
}
