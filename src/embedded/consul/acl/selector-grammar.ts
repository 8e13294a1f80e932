import { unquoteGo } from './go-string.js';

export type Operator =
  | '=='
  | '!='
  | 'in'
  | 'not in'
  | 'is empty'
  | 'is not empty'
  | 'matches'
  | 'not matches';

export interface Comparison {
  readonly kind: 'comparison';
  readonly path: readonly string[];
  readonly operator: Operator;
  /** Its bytes, one character each. */
  readonly value: string;
}

export type Selector =
  | Comparison
  | { readonly kind: 'not'; readonly inner: Selector }
  | { readonly kind: 'and' | 'or'; readonly left: Selector; readonly right: Selector };

/** The grammar of go-bexpr as Consul 1.14 has it; undefined for what is not of it. */
export function parseSelector(text: string): Selector | undefined {
  const parser = new Parser(text);
  parser.space();
  const selector = parser.or();
  parser.space();
  return parser.isAtEnd ? selector : undefined;
}

const word = /[a-zA-Z][a-zA-Z0-9_]*/y;
const space = /[ \t\r\n]+/y;
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?=[ \t\r\n)]|$)/y;
const quotedText = /"[^"]*"|`[^`]*`/y;
/** Longer ones first. */
const afterSelector: readonly (readonly [RegExp, Operator, boolean])[] = [
  [/[ \t\r\n]*==[ \t\r\n]*/y, '==', true],
  [/[ \t\r\n]*!=[ \t\r\n]*/y, '!=', true],
  [/[ \t\r\n]+contains[ \t\r\n]+/y, 'in', true],
  [/[ \t\r\n]+not[ \t\r\n]+contains[ \t\r\n]+/y, 'not in', true],
  [/[ \t\r\n]+matches[ \t\r\n]+/y, 'matches', true],
  [/[ \t\r\n]+not[ \t\r\n]+matches[ \t\r\n]+/y, 'not matches', true],
  [/[ \t\r\n]+is[ \t\r\n]+empty/y, 'is empty', false],
  [/[ \t\r\n]+is[ \t\r\n]+not[ \t\r\n]+empty/y, 'is not empty', false],
];
const beforeSelector: readonly (readonly [RegExp, Operator])[] = [
  [/[ \t\r\n]+in[ \t\r\n]+/y, 'in'],
  [/[ \t\r\n]+not[ \t\r\n]+in[ \t\r\n]+/y, 'not in'],
];

/** Each rule leaves the position where it was if it does not match. */
class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  space(): boolean {
    return this.#take(space) !== undefined;
  }

  or(): Selector | undefined {
    return this.#binary('or', () => this.#and());
  }

  #and(): Selector | undefined {
    return this.#binary('and', () => this.#not());
  }

  #binary(kind: 'and' | 'or', operand: () => Selector | undefined): Selector | undefined {
    const left = operand();
    if (left === undefined) return undefined;
    const back = this.#at;
    if (this.space() && this.#literal(kind) && this.space()) {
      const right = this.#binary(kind, operand);
      if (right !== undefined) return { kind, left, right };
    }
    this.#at = back;
    return left;
  }

  #not(): Selector | undefined {
    const back = this.#at;
    if (this.#literal('not') && this.space()) {
      const inner = this.#not();
      if (inner !== undefined) return { kind: 'not', inner };
    }
    this.#at = back;
    return this.#parenthesised() ?? this.#comparison();
  }

  #parenthesised(): Selector | undefined {
    const back = this.#at;
    if (this.#literal('(')) {
      this.space();
      const inner = this.or();
      this.space();
      if (inner !== undefined && this.#literal(')')) return inner;
    }
    this.#at = back;
    return undefined;
  }

  #comparison(): Selector | undefined {
    const back = this.#at;
    const path = this.#path();
    for (const [pattern, operator, hasValue] of path === undefined ? [] : afterSelector) {
      const before = this.#at;
      if (this.#take(pattern) === undefined) continue;
      const value = hasValue ? this.#value() : '';
      if (path !== undefined && value !== undefined) return { kind: 'comparison', path, operator, value };
      this.#at = before;
    }
    this.#at = back;
    const value = this.#value();
    for (const [pattern, operator] of value === undefined ? [] : beforeSelector) {
      if (this.#take(pattern) === undefined) continue;
      const target = this.#path();
      if (target !== undefined && value !== undefined)
        return { kind: 'comparison', path: target, operator, value };
    }
    this.#at = back;
    return undefined;
  }

  #path(): readonly string[] | undefined {
    const first = this.#take(word);
    if (first === undefined) return undefined;
    const path = [first];
    for (;;) {
      const back = this.#at;
      const next = this.#literal('.') ? this.#take(word) : this.#index();
      if (next === undefined) {
        this.#at = back;
        return path;
      }
      path.push(next);
    }
  }

  #index(): string | undefined {
    if (!this.#literal('[')) return undefined;
    this.space();
    const name = this.#string();
    this.space();
    return name !== undefined && this.#literal(']')
      ? Buffer.from(name, 'latin1').toString('utf8')
      : undefined;
  }

  #value(): string | undefined {
    return this.#path()?.join('.') ?? this.#take(number) ?? this.#string();
  }

  #string(): string | undefined {
    const text = this.#take(quotedText);
    return text === undefined ? undefined : unquoteGo(text);
  }

  #literal(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}
