/** A position in a text of rules; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** ACL rules that are invalid in Consul's ACL language. The message names the place and the remedy. */
export class RulesFault extends Error {
  readonly place: Place;

  constructor(place: Place, message: string) {
    super(`line ${place.line}, column ${place.column}: ${message}`);
    this.name = 'RulesFault';
    this.place = place;
  }
}

/** `key value`, `key = value`, `key "label" { … }`; a value is a text or a block. */
export interface Item {
  readonly key: string;
  readonly labels: readonly string[];
  readonly value: string | readonly Item[];
  readonly place: Place;
}

interface Lexeme {
  readonly kind: 'word' | 'text' | 'sign' | 'end';
  readonly text: string;
  readonly place: Place;
}

/** Deeper than any valid rule. */
const DEPTH_LIMIT = 5;

/**
 * Parses the subset of HCL that ACL rules use, and JSON, which differs by quoted keys, `:` and lists. Heredocs, numbers and
 * `${}` are refused, because rules do not need them. Throws RulesFault.
 */
export function parseItems(text: string): readonly Item[] {
  const lexemes = lex(text);
  let next = 0;
  const peek = (): Lexeme => lexemes[next] ?? { kind: 'end', text: '', place: { line: 1, column: 1 } };
  const take = (): Lexeme => {
    const lexeme = peek();
    next++;
    return lexeme;
  };
  const isSign = (sign: string): boolean => peek().kind === 'sign' && peek().text === sign;

  function items(end: '}' | 'end', depth: number): readonly Item[] {
    const found: Item[] = [];
    for (;;) {
      while (isSign(',')) take();
      if (end === 'end' ? peek().kind === 'end' : isSign('}')) return found;
      found.push(...item(depth));
    }
  }

  function item(depth: number): readonly Item[] {
    const key = take();
    if (key.kind !== 'word' && key.kind !== 'text') throw unexpected(key, 'a name');
    const labels: string[] = [];
    while (peek().kind === 'text') labels.push(take().text);
    const isAssigned = isSign('=') || isSign(':');
    if (isAssigned) take();
    // `key "text"` without `=` is a label without a block.
    if (!isAssigned && !isSign('{')) throw unexpected(peek(), '"=" or "{"');
    if (isAssigned && labels.length > 0) throw unexpected(peek(), '"{" after a label');
    return values(depth).map((value) => ({ key: key.text, labels, value, place: key.place }));
  }

  /** One value, or those of a list. */
  function values(depth: number): readonly Item['value'][] {
    const start = take();
    if (start.kind === 'text') return [start.text];
    if (start.kind === 'sign' && start.text === '{') {
      if (depth >= DEPTH_LIMIT) throw new RulesFault(start.place, 'is nested too deeply');
      const inner = items('}', depth + 1);
      take();
      return [inner];
    }
    if (start.kind === 'sign' && start.text === '[') {
      if (depth >= DEPTH_LIMIT) throw new RulesFault(start.place, 'is nested too deeply');
      const found: Item['value'][] = [];
      while (!isSign(']')) {
        if (isSign(',')) take();
        else found.push(...values(depth + 1));
      }
      take();
      return found;
    }
    throw unexpected(start, 'a quoted text or "{"');
  }

  const isJson = isSign('{');
  if (!isJson) return items('end', 0);
  take();
  const found = items('}', 1);
  take();
  if (peek().kind !== 'end') throw unexpected(peek(), 'the end');
  return found;
}

function lex(text: string): readonly Lexeme[] {
  const pattern =
    /(?<space>\s+|(?:#|\/\/)[^\n]*|\/\*[\s\S]*?\*\/)|(?<text>"(?:[^"\\\n]|\\[^\n])*")|(?<word>[A-Za-z_][\w-]*)|(?<sign>[{}=:,[\]])/y;
  const lexemes: Lexeme[] = [];
  const placeOf = placesIn(text);
  while (pattern.lastIndex < text.length) {
    const place = placeOf(pattern.lastIndex);
    const groups = pattern.exec(text)?.groups;
    if (groups === undefined)
      throw new RulesFault(place, 'cannot be parsed; write texts in double quotes on one line');
    if (groups.text !== undefined) lexemes.push({ kind: 'text', text: unquote(groups.text, place), place });
    else if (groups.word !== undefined) lexemes.push({ kind: 'word', text: groups.word, place });
    else if (groups.sign !== undefined) lexemes.push({ kind: 'sign', text: groups.sign, place });
  }
  lexemes.push({ kind: 'end', text: '', place: placeOf(text.length) });
  return lexemes;
}

/** JSON's escapes, which include the HCL escapes that rules need. */
function unquote(quoted: string, place: Place): string {
  let text: unknown;
  try {
    text = JSON.parse(quoted);
  } catch {
    throw new RulesFault(place, 'has an invalid escape or a control character; write it as in JSON');
  }
  if (typeof text !== 'string' || !text.isWellFormed())
    throw new RulesFault(place, 'contains an unpaired surrogate; remove it');
  if (text.includes('$' + '{'))
    throw new RulesFault(place, 'looks like an interpolation, which Consul does not support; remove the "$"');
  return text;
}

/** Maps offsets to places; the offsets must not decrease. */
function placesIn(text: string): (at: number) => Place {
  let line = 1;
  let lineStart = 0;
  let seen = 0;
  return (at) => {
    for (let next = text.indexOf('\n', seen); next !== -1 && next < at; next = text.indexOf('\n', seen)) {
      line++;
      lineStart = next + 1;
      seen = next + 1;
    }
    return { line, column: at - lineStart + 1 };
  };
}

function unexpected(lexeme: Lexeme, expected: string): RulesFault {
  const found = lexeme.kind === 'end' ? 'the text ends' : `found "${lexeme.text.slice(0, 40)}"`;
  return new RulesFault(lexeme.place, `expected ${expected}, but ${found}`);
}
