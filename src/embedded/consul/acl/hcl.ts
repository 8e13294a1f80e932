/** A block or value of an ACL rules text, in the order written. */
export interface HclItem {
  readonly key: string;
  readonly label?: string;
  readonly value: string | readonly HclItem[];
}

export class HclSyntaxError extends Error {}

/**
 * Parses the part of HCL (or its JSON form) in which ACL rules are written: `name = "text"`, `name { … }` and
 * `name "label" { … }`. Throws HclSyntaxError.
 */
export function parseHcl(text: string): HclItem[] {
  if (text.trimStart().startsWith('{')) return itemsOfJson(parseJson(text));
  return new Reader(text).items(false);
}

interface Token {
  readonly kind: 'word' | 'string' | 'sign' | 'end';
  readonly text: string;
  /** Its place in the text. */
  readonly at: number;
}

const blank = /(?:\s+|(?:#|\/\/)[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const string = /"(?:[^"\\\n]|\\.)*"/y;
const number = /-?\d[\w.]*/y;
const word = /[A-Za-z_][\w.-]*/y;
const sign = /[{}=,[\]]/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  items(isNested: boolean): HclItem[] {
    const items: HclItem[] = [];
    for (;;) {
      const lexeme = this.#next();
      if (lexeme.kind === 'end' && isNested)
        throw new HclSyntaxError('object expected closing RBRACE got: EOF');
      if (lexeme.kind === 'end' || (lexeme.text === '}' && lexeme.kind === 'sign' && isNested)) return items;
      if (lexeme.kind !== 'sign') items.push(this.#item(lexeme));
      else if (lexeme.text !== ',') throw this.#error(lexeme.at, `unexpected ${lexeme.text}`);
    }
  }

  #item(key: Token): HclItem {
    let lexeme = this.#next();
    const label = lexeme.kind === 'string' ? lexeme.text : undefined;
    if (label !== undefined) lexeme = this.#next();
    if (lexeme.kind === 'sign' && lexeme.text === '=') lexeme = this.#next();
    if (lexeme.kind === 'sign' && lexeme.text === '{') {
      const value = this.items(true);
      return label === undefined ? { key: key.text, value } : { key: key.text, label, value };
    }
    if (lexeme.kind === 'end') {
      const why = `key '${key.text}' expected start of object ('{') or assignment ('=')`;
      throw this.#error(key.at, why);
    }
    if (lexeme.kind !== 'sign' && label === undefined) return { key: key.text, value: lexeme.text };
    throw this.#error(lexeme.at, `unexpected ${lexeme.text}`);
  }

  #next(): Token {
    this.#take(blank);
    const at = this.#at;
    if (at === this.#text.length) return { kind: 'end', text: 'EOF', at };
    const quoted = this.#take(string);
    if (quoted !== undefined) return { kind: 'string', text: this.#unquote(quoted, at), at };
    for (const [kind, pattern] of [
      ['word', word],
      ['string', number],
      ['sign', sign],
    ] as const) {
      const text = this.#take(pattern);
      if (text !== undefined) return { kind, text, at };
    }
    throw this.#error(at, 'illegal character');
  }

  #unquote(quoted: string, at: number): string {
    try {
      return String(JSON.parse(quoted));
    } catch {
      throw this.#error(at, 'invalid string literal');
    }
  }

  #error(at: number, why: string): HclSyntaxError {
    const before = this.#text.slice(0, at).split('\n');
    return new HclSyntaxError(`At ${before.length}:${(before.at(-1) ?? '').length + 1}: ${why}`);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HclSyntaxError(error instanceof Error ? error.message : 'invalid JSON');
  }
}

/** JSON rules nest the label as a key: `{"key_prefix": {"config/": {"policy": "read"}}}`; lists repeat it. */
function itemsOfJson(value: unknown): HclItem[] {
  if (Array.isArray(value)) return value.flatMap(itemsOfJson);
  if (typeof value !== 'object' || value === null) throw new HclSyntaxError('object expected');
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'object' ? blocksOf(key, itemsOfJson(inner)) : [{ key, value: String(inner) }],
  );
}

/** An object of plain values is the block itself; otherwise each of its keys is a label. */
function blocksOf(key: string, children: readonly HclItem[]): HclItem[] {
  const plain = children.filter((child) => typeof child.value === 'string');
  const own = plain.length === 0 ? [] : [{ key, value: plain }];
  const labelled = children.filter((child) => typeof child.value !== 'string');
  return [...own, ...labelled.map((child) => ({ key, label: child.key, value: child.value }))];
}
