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

/** The grammar of go-bexpr as Consul 1.14 has it; undefined for any other text. */
export function parseSelector(text: string): Selector | undefined {
  return new Parser(text).whole();
}

/** An expression that matches where it is applied; `_` matches one blank. */
function pattern(source: string): RegExp {
  return new RegExp(source.replaceAll('_', '[ \\t\\r\\n]'), 'y');
}

const blanks = pattern('_*');
const word = /[a-zA-Z][a-zA-Z0-9_]*/y;
const number = pattern('-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?=_|\\)|$)');
const quotedText = /"[^"]*"|`[^`]*`/y;
const connectives = { and: pattern('_+and_+'), or: pattern('_+or_+') };
const [not, open, close] = [pattern('not_+'), pattern('\\(_*'), pattern('_*\\)')];
const [openIndex, closeIndex] = [pattern('\\[_*'), pattern('_*\\]')];
/** Longer ones first. */
const afterSelector: readonly (readonly [RegExp, Operator, boolean])[] = [
  [pattern('_*==_*'), '==', true],
  [pattern('_*!=_*'), '!=', true],
  [pattern('_+contains_+'), 'in', true],
  [pattern('_+not_+contains_+'), 'not in', true],
  [pattern('_+matches_+'), 'matches', true],
  [pattern('_+not_+matches_+'), 'not matches', true],
  [pattern('_+is_+empty'), 'is empty', false],
  [pattern('_+is_+not_+empty'), 'is not empty', false],
];
const beforeSelector: readonly (readonly [RegExp, Operator])[] = [
  [pattern('_+in_+'), 'in'],
  [pattern('_+not_+in_+'), 'not in'],
];

/** A rule that does not match returns undefined and leaves the position where it was. */
class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Selector | undefined {
    this.#take(blanks);
    const selector = this.#or();
    this.#take(blanks);
    return this.#at === this.#text.length ? selector : undefined;
  }

  #or(): Selector | undefined {
    return this.#binary('or', () => this.#binary('and', () => this.#not()));
  }

  #binary(kind: 'and' | 'or', operand: () => Selector | undefined): Selector | undefined {
    const left = operand();
    if (left === undefined) return undefined;
    const right = this.#try(() => this.#take(connectives[kind]) && this.#binary(kind, operand));
    return right ? { kind, left, right } : left;
  }

  #not(): Selector | undefined {
    const inner = this.#try(() => this.#take(not) && this.#not());
    return inner ? { kind: 'not', inner } : (this.#parenthesised() ?? this.#comparison());
  }

  #parenthesised(): Selector | undefined {
    return this.#try(() => {
      const inner = this.#take(open) === undefined ? undefined : this.#or();
      return this.#take(close) === undefined ? undefined : inner;
    });
  }

  #comparison(): Selector | undefined {
    const after = this.#try(() => {
      const path = this.#path();
      if (path === undefined) return undefined;
      return this.#first(afterSelector, ([sign, operator, hasValue]) => {
        if (this.#take(sign) === undefined) return undefined;
        const value = hasValue ? this.#value() : '';
        return value === undefined ? undefined : { kind: 'comparison', path, operator, value };
      });
    });
    if (after !== undefined) return after;
    return this.#try(() => {
      const value = this.#value();
      if (value === undefined) return undefined;
      return this.#first(beforeSelector, ([sign, operator]) => {
        const path = this.#take(sign) === undefined ? undefined : this.#path();
        return path === undefined ? undefined : { kind: 'comparison', path, operator, value };
      });
    });
  }

  #path(): readonly string[] | undefined {
    const first = this.#take(word);
    if (first === undefined) return undefined;
    const path = [first];
    for (;;) {
      const next = this.#try(() => (this.#take(/\./y) === undefined ? this.#index() : this.#take(word)));
      if (next === undefined) return path;
      path.push(next);
    }
  }

  #index(): string | undefined {
    const name = this.#take(openIndex) === undefined ? undefined : this.#string();
    if (name === undefined || this.#take(closeIndex) === undefined) return undefined;
    return Buffer.from(name, 'latin1').toString('utf8');
  }

  #value(): string | undefined {
    return this.#path()?.join('.') ?? this.#take(number) ?? this.#string();
  }

  #string(): string | undefined {
    const text = this.#take(quotedText);
    return text === undefined ? undefined : unquoteGo(text);
  }

  #first<Choice>(
    choices: readonly Choice[],
    rule: (choice: Choice) => Selector | undefined,
  ): Selector | undefined {
    for (const choice of choices) {
      const found = this.#try(() => rule(choice));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #try<Result>(rule: () => Result | undefined): Result | undefined {
    const back = this.#at;
    const result = rule();
    if (result === undefined) this.#at = back;
    return result;
  }

  #take(expression: RegExp): string | undefined {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }
}
