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
  const trimmed = text.trimStart();
  if (trimmed.startsWith('{')) return fromJson(trimmed);
  const tokens = tokenize(text);
  const reader = new TokenReader(tokens);
  const items = reader.items(false);
  return items;
}

interface Token {
  readonly kind: 'word' | 'string' | 'sign';
  readonly text: string;
  readonly at: string;
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern =
    /(\s+)|((?:#|\/\/)[^\n]*)|(\/\*[\s\S]*?\*\/)|("(?:[^"\\\n]|\\.)*")|([A-Za-z_][\w.-]*)|(-?\d[\w.]*)|([{}=,[\]])/y;
  while (pattern.lastIndex < text.length) {
    const start = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw new HclSyntaxError(`At ${position(text, start)}: illegal character`);
    const at = position(text, start);
    if (match[4] !== undefined) tokens.push({ kind: 'string', text: unquote(match[4], at), at });
    else if (match[5] !== undefined) tokens.push({ kind: 'word', text: match[5], at });
    else if (match[6] !== undefined) tokens.push({ kind: 'string', text: match[6], at });
    else if (match[7] !== undefined) tokens.push({ kind: 'sign', text: match[7], at });
  }
  return tokens;
}

function position(text: string, index: number): string {
  const before = text.slice(0, index).split('\n');
  return `${before.length}:${(before.at(-1) ?? '').length + 1}`;
}

function unquote(quoted: string, at: string): string {
  try {
    const text: unknown = JSON.parse(quoted);
    if (typeof text === 'string') return text;
  } catch {
    // falls through to the syntax error
  }
  throw new HclSyntaxError(`At ${at}: invalid string literal`);
}

class TokenReader {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  items(nested: boolean): HclItem[] {
    const items: HclItem[] = [];
    for (;;) {
      const token = this.#tokens[this.#next];
      if (token === undefined) {
        if (nested) throw new HclSyntaxError('object expected closing RBRACE got: EOF');
        return items;
      }
      if (token.kind === 'sign') {
        if (token.text === '}' && nested) {
          this.#next += 1;
          return items;
        }
        if (token.text === ',') {
          this.#next += 1;
          continue;
        }
        throw new HclSyntaxError(`At ${token.at}: unexpected ${token.text}`);
      }
      this.#next += 1;
      items.push(this.#item(token));
    }
  }

  #item(key: Token): HclItem {
    let token = this.#take(key);
    let label: string | undefined;
    if (token.kind === 'string') {
      label = token.text;
      token = this.#take(token);
    }
    if (token.text === '=' && token.kind === 'sign') token = this.#take(token);
    if (token.kind === 'sign' && token.text === '{') {
      const value = this.items(true);
      return label === undefined ? { key: key.text, value } : { key: key.text, label, value };
    }
    if (token.kind === 'sign' || label !== undefined) {
      throw new HclSyntaxError(`At ${token.at}: unexpected ${token.text}`);
    }
    return { key: key.text, value: token.text };
  }

  #take(after: Token): Token {
    const token = this.#tokens[this.#next];
    if (token === undefined)
      throw new HclSyntaxError(
        `At ${after.at}: key '${after.text}' expected start of object ('{') or assignment ('=')`,
      );
    this.#next += 1;
    return token;
  }
}

function fromJson(text: string): HclItem[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new HclSyntaxError(error instanceof Error ? error.message : 'invalid JSON');
  }
  return objectItems(parsed);
}

/** JSON rules nest the label as a key: `{"key_prefix": {"config/": {"policy": "read"}}}`; lists repeat it. */
function objectItems(value: unknown): HclItem[] {
  if (Array.isArray(value)) return value.flatMap(objectItems);
  if (typeof value !== 'object' || value === null) throw new HclSyntaxError('object expected');
  const items: HclItem[] = [];
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner === 'string') items.push({ key, value: inner });
    else if (typeof inner === 'number' || typeof inner === 'boolean')
      items.push({ key, value: String(inner) });
    else items.push(...labelled(key, objectItems(inner)));
  }
  return items;
}

/** An object of plain values is the block itself; else each of its keys is a label. */
function labelled(key: string, children: readonly HclItem[]): HclItem[] {
  const plain = children.filter((child) => typeof child.value === 'string');
  const blocks = children.filter((child) => typeof child.value !== 'string');
  const own = plain.length === 0 ? [] : [{ key, value: plain }];
  return [...own, ...blocks.map((child) => ({ key, label: child.key, value: child.value }))];
}
